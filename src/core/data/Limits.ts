/**
 * How much codex accepts of a file that somebody else may have written. Every reader stays within these limits, so a damaged or
 * hostile file is an error with its place, and never fills the memory or the stack.
 *
 * They are far above what is in use: the deepest config of this package has 4 levels, the largest public tokenizer.json 35 MB.
 */

/** Maps and lists inside each other, in YAML and JSON. Everything that walks a value may recurse so far. */
export const depth = 100

/** Bytes of a config file. Documents that are given in code are saved in one. */
export const configBytes = 64 * 2 ** 20

/** Words, punctuation and line breaks of a YAML file. */
export const yamlTokens = 4_000_000

/** Values of a config after aliases and interpolations were replaced. */
export const configValues = 1_000_000

/** Values that the aliases of a file, or the interpolations of a config, may add by repetition. */
export const repeatedValues = 10_000

/** Characters of the texts that the interpolations of a config produce. */
export const interpolatedCharacters = 2 ** 20

/** Config files that one config is composed from, each counted as often as it is named. */
export const configFiles = 1000

/** Faults that a message lists. */
export const listedFaults = 20

/** Bytes of a file of a tokenizer. Its text is one string, which cannot be much longer. */
export const tokenizerBytes = 500 * 2 ** 20

/** Bytes of any other text file that is read as a whole: a manifest, a saved config, a package.json. */
export const jsonBytes = 64 * 2 ** 20

/** Token ids. An id far beyond the others makes tables of that size. */
export const tokenIds = 2 ** 24

/** How much longer a normalizer may make a text. */
export const normalizedGrowth = 10_000

/** Bytes of the header of a safetensors file, as in Hugging Face's own reader. */
export const safetensorsHeaderBytes = 100_000_000

/**
 * The path of the first value that has more than `depth` maps and lists around it, of a value that JSON, YAML or a program made.
 * A value that contains itself has one. Nothing recurses, and a value that occurs twice is visited twice.
 */
export const tooDeep = (value: unknown, most: number = depth): ReadonlyArray<string> | undefined => {
  const open: Array<Level> = []
  let next: unknown = value
  for (;;) {
    if (typeof next === "object" && next !== null && !ArrayBuffer.isView(next)) {
      if (open.length === most) return open.map(({ at, keys }) => keys?.[at - 1] ?? String(at - 1))
      if (Array.isArray(next)) open.push({ values: next, keys: undefined, at: 0 })
      else open.push({ values: Object.values(next), keys: Object.keys(next), at: 0 })
    }
    let level = open.at(-1)
    while (level !== undefined && level.at === level.values.length) {
      open.pop()
      level = open.at(-1)
    }
    if (level === undefined) return undefined
    next = level.values[level.at++]
  }
}

interface Level {
  readonly values: ReadonlyArray<unknown>
  /** Undefined for an array. */
  readonly keys: ReadonlyArray<string> | undefined
  at: number
}
