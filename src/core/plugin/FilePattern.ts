/**
 * The files that plugins read, by their names. A plugin declares patterns with `reads` of Plugin.make, or in the manifest
 * of its package. They tell which plugin opens a path, without loading any plugin.
 *
 *     reads: ["*.tiktoken"]
 *     reads: [{ name: "vocab.json", with: "merges.txt" }, { name: "*.json", inDirectory: false }]
 *
 * The plugin gets the file in its config: a tokenizer as `path`, a dataset in the list `paths`.
 */
import * as Order from "effect/Order"
import * as Regex from "effect/RegExp"
import * as Schema from "effect/Schema"

/** A pattern of file names. */
export const FilePattern = Schema.Struct({
  /** A file name, in which `*` matches any characters: `tokenizer.json`, `*.tiktoken`. */
  name: Schema.NonEmptyString,
  /** A file that must be in the same directory. Its path leads to the plugin too, which gets the path of `name`. */
  with: Schema.optional(Schema.NonEmptyString),
  /** False when the name is too general to be searched for in a directory. Default true. */
  inDirectory: Schema.optional(Schema.Boolean),
  /** In a directory, files of a higher priority hide the others. Default 0. */
  priority: Schema.optional(Schema.Int)
})
export type FilePattern = typeof FilePattern.Type

/** The value of `reads`: patterns, or only their names. */
export const Declared = Schema.Array(Schema.Union(Schema.NonEmptyString, FilePattern))
export type Declared = typeof Declared.Type

/** The patterns of a declaration. */
export const fromDeclared = (declared: Declared | undefined): ReadonlyArray<FilePattern> =>
  (declared ?? []).map((pattern) => (typeof pattern === "string" ? { name: pattern } : pattern))

/** Whether a file name matches the name of a pattern. */
export const matches = (name: string, fileName: string): boolean =>
  new RegExp(`^${name.split("*").map(Regex.escape).join(".*")}$`, "s").test(fileName)

/** A plugin and the files that it reads. */
export interface Reader {
  readonly name: string
  readonly reads: ReadonlyArray<FilePattern>
}

/** A file, by its name, and the plugin that reads it. */
export interface Readable {
  readonly plugin: string
  readonly fileName: string
}

/** The plugin that reads a file: the one with the most specific pattern. Undefined when there is none. */
export const readerOf = (readers: ReadonlyArray<Reader>, fileName: string): Readable | undefined => {
  const [best] = readers
    .flatMap(({ name: plugin, reads }) =>
      reads.flatMap((pattern) =>
        matches(pattern.name, fileName)
          ? [{ plugin, fileName, literal: literalLength(pattern.name) }]
          : pattern.with === fileName
            ? [{ plugin, fileName: pattern.name, literal: fileName.length }]
            : []
      )
    )
    .sort(bySpecificity)
  return best && { plugin: best.plugin, fileName: best.fileName }
}

const literalLength = (name: string) => name.replaceAll("*", "").length
interface Candidate {
  readonly plugin: string
  readonly literal: number
}

const bySpecificity: Order.Order<Candidate> = Order.combine(
  Order.mapInput(Order.reverse(Order.number), (candidate: Candidate) => candidate.literal),
  Order.mapInput(Order.string, (candidate: Candidate) => candidate.plugin)
)

/** The files of a directory that plugins read, those of the highest priority, in the order of the directory. */
export const readableIn = (readers: ReadonlyArray<Reader>, entries: ReadonlyArray<string>): ReadonlyArray<Readable> => {
  const found = entries.flatMap((fileName) => {
    const patterns = readers.flatMap(({ name: plugin, reads }) =>
      reads
        .filter(
          (pattern) =>
            pattern.inDirectory !== false &&
            matches(pattern.name, fileName) &&
            (pattern.with === undefined || entries.includes(pattern.with))
        )
        .map(({ name, priority = 0 }) => ({ plugin, fileName, priority, literal: literalLength(name) }))
    )
    return patterns.sort(bySpecificity).slice(0, 1)
  })
  const highest = Math.max(...found.map(({ priority }) => priority))
  return found.filter(({ priority }) => priority === highest).map(({ fileName, plugin }) => ({ plugin, fileName }))
}

/** The patterns as messages list them: `tokenizer.json`, `vocab.json with merges.txt`, `*.model`. */
export const describe = (readers: ReadonlyArray<Reader>): ReadonlyArray<string> =>
  readers.flatMap(({ reads }) =>
    reads
      .filter(({ inDirectory }) => inDirectory !== false)
      .map(({ name, with: other }) => (other === undefined ? name : `${name} with ${other}`))
  )
