/**
 * Config files on disk, in YAML. `group/name.yaml` is searched next to the file that names it, then in each directory
 * above up to the working directory (up to a directory named `configs` for a file outside of it), then in `configs/` of
 * the working directory, and last among the configs of the package. Nothing is kept open or cached.
 *
 * YAML is version 1.2. Anchors, aliases and `<<` merge keys work. Tags that make anything but plain data, several
 * documents in a file and duplicate keys are errors.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import {
  Composer,
  type CST,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  stringify
} from "yaml"
import { ConfigError, ConfigIssue, fault } from "../../core/config/ConfigIssue.ts"
import * as Node from "../../core/config/ConfigNode.ts"
import { ConfigSource, type Document } from "../../core/config/ConfigSource.ts"
import * as FileFault from "../../core/data/FileFault.ts"
import * as Limits from "../../core/data/Limits.ts"
import * as Excerpt from "../../core/Excerpt.ts"

/** Options of {@link layer}. */
export interface Options {
  /** The directory that relative paths start from. */
  readonly workingDirectory: string
  /** The directory of the configs that the package ships. */
  readonly packagedConfigs: string
}

const make = ({ workingDirectory, packagedConfigs }: Options) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path

    const isInside = (directory: string, file: string) => {
      const relative = path.relative(directory, file)
      return relative === "" || (!relative.startsWith("..") && !path.isAbsolute(relative))
    }
    const display = (file: string) => (isInside(workingDirectory, file) ? path.relative(workingDirectory, file) : file)

    const read = (file: string): Effect.Effect<Document, ConfigError> =>
      Effect.gen(function* () {
        const name = display(file)
        const unreadable = (error: PlatformError) =>
          fault(name, isMissing(error) ? "there is no such file" : `cannot be read: ${FileFault.of(error).details}`)
        const { size } = yield* Effect.mapError(fs.stat(file), unreadable)
        if (size > Limits.configBytes) {
          return yield* fault(name, `a config file of more than ${Limits.configBytes / 2 ** 20} MiB is not read`)
        }
        const text = yield* Effect.mapError(fs.readFileString(file), unreadable)
        const root = yield* parseYaml(text.replace(/^\uFEFF/, ""), name)
        const packageName = packageOf(text)
        if (root._tag === "Map") return { path: name, root: { ...root, origin: name }, packageName }
        if (root._tag === "Scalar" && root.value === null) return { path: name, root: Node.map([], name), packageName }
        return yield* fault(root.origin, "a config file must be a map of `key: value` lines")
      })

    /** The directories in which a document's groups are searched, nearest first. */
    const directories = (from: Document): ReadonlyArray<string> => {
      const found: Array<string> = []
      let directory = path.dirname(path.resolve(workingDirectory, from.path))
      const within = isInside(workingDirectory, directory)
      for (;;) {
        found.push(directory)
        const last = within ? directory === workingDirectory : path.basename(directory) === "configs"
        const parent = path.dirname(directory)
        if (last || parent === directory) break
        directory = parent
      }
      return [...new Set([...found, path.join(workingDirectory, "configs"), packagedConfigs])]
    }

    const isFile = (file: string) =>
      Effect.orElseSucceed(
        Effect.map(fs.stat(file), ({ type }) => type === "File"),
        () => false
      )

    return ConfigSource.of({
      primary: (file) => read(path.resolve(workingDirectory, file)),
      find: (group, name, from) =>
        Effect.gen(function* () {
          const file = /\.ya?ml$/.test(name) ? name : `${name}.yaml`
          const candidates = directories(from).map((directory) => path.join(directory, group, file))
          const found = yield* Effect.findFirst(candidates, isFile)
          return found._tag === "Some" ? yield* read(found.value) : undefined
        }),
      names: (group, from) =>
        Effect.map(
          Effect.forEach(directories(from), (directory) =>
            Effect.orElseSucceed(fs.readDirectory(path.join(directory, group)), (): ReadonlyArray<string> => [])
          ),
          (files) =>
            [...new Set(files.flat().flatMap((file) => (file.endsWith(".yaml") ? [file.slice(0, -5)] : [])))].sort()
        ),
      parse: (text) => parseValue(text, "command line")
    })
  })

/** Reads config files from disk. */
export const layer = (options: Options): Layer.Layer<ConfigSource, never, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(ConfigSource, make(options))

const isMissing = (error: PlatformError) => error._tag === "SystemError" && error.reason === "NotFound"

/** The argument of `# @package …` among the comments at the top. */
const packageOf = (text: string): string | undefined => {
  for (const line of text.replace(/^\uFEFF/, "").split("\n")) {
    if (!/^\s*(#|$)/.test(line)) return undefined
    const [, name] = /^#\s*@package\s+(\S+)/.exec(line) ?? []
    if (name !== undefined) return name
  }
  return undefined
}

/** Parses a YAML file. Origins are `name:line`. */
export const parseYaml = (text: string, name: string): Effect.Effect<Node.Node, ConfigError> =>
  parse(text, (line) => `${name}:${line}`)

/**
 * Parses a value of the command line. Text that starts as a flow collection or a quoted string is YAML. Any other text
 * is one scalar up to its end, so that `prompt=Call me: now` is not a map and `tag=#1` is not a comment.
 */
export const parseValue = (text: string, origin: string): Effect.Effect<Node.Node, ConfigError> => {
  const whole = Effect.succeed(Node.scalar(text, origin))
  const parsed = parse(text, () => origin)
  if (/^\s*[[{"']/.test(text)) return parsed
  if (/[#:&*!|>%@`]/.test(text)) return whole
  return parsed.pipe(
    Effect.flatMap((node) => (node._tag === "Scalar" && typeof node.value !== "string" ? Effect.succeed(node) : whole)),
    Effect.orElse(() => whole)
  )
}

/** Writes a plain value as YAML. Parsing it gives the same value. */
export const toYaml = (value: unknown): string => stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })

const parse = (text: string, originOf: (line: number) => string): Effect.Effect<Node.Node, ConfigError> =>
  Effect.suspend(() => {
    const counter = new LineCounter()
    const place = (offset: number) => originOf(counter.linePos(offset).line)
    const invalid = (offset: number, details: string, path: Node.Path = []) =>
      new ConfigIssue({
        problem: "invalid",
        path,
        expected: "",
        got: "",
        details,
        origin: place(offset)
      })
    const tokens = tokensOf(text, counter)
    if (Either.isLeft(tokens)) {
      const { details, offset } = tokens.left
      return new ConfigError({ issues: [invalid(offset, details)] })
    }
    // Whether keys are unique is checked below: the library compares each with each.
    const composer = new Composer({ prettyErrors: false, merge: true, uniqueKeys: false, logLevel: "silent" })
    const [document, second] = [...composer.compose(tokens.right, true, text.length)]
    if (document === undefined) return Effect.succeed(Node.scalar(null, originOf(1)))
    const issues = [...document.errors, ...document.warnings].map(({ message, pos }) =>
      invalid(pos[0], `not valid YAML: ${Excerpt.of(message, 200)}`)
    )
    if (second !== undefined) issues.push(invalid(second.range[0], "not valid YAML: a file must have one document"))
    if (issues.length > 0) return new ConfigError({ issues })
    const converter = new Converter(place, invalid)
    const root = converter.node(document.contents, [], 0)
    return converter.issues.length > 0 ? new ConfigError({ issues: converter.issues }) : Effect.succeed(root)
  })

interface TooMuch {
  readonly details: string
  readonly offset: number
}

/** The syntax of a text, within the limits: building a document of it recurses. */
const tokensOf = (text: string, counter: LineCounter): Either.Either<ReadonlyArray<CST.Token>, TooMuch> => {
  if (text.length > Limits.configBytes) {
    return Either.left({ offset: 0, details: `there are more than ${Limits.configBytes / 2 ** 20} MiB of YAML` })
  }
  const parser = new Parser(counter.addNewLine)
  const tokens: Array<CST.Token> = []
  let count = 0
  counter.addNewLine(0)
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme))
    // The document itself and a scalar are on the stack, too.
    if (parser.stack.length > Limits.depth + 2) {
      const details = `more than ${Limits.depth} maps and lists are inside each other`
      return Either.left({ offset: parser.offset, details })
    }
    if (++count > Limits.yamlTokens) {
      return Either.left({ offset: parser.offset, details: `there are more than ${Limits.yamlTokens} words of YAML` })
    }
  }
  tokens.push(...parser.end())
  return Either.right(tokens)
}

/**
 * Makes config values of YAML nodes. An alias gives the value of its anchor, which is made only once, so aliases cost nothing here;
 * what they would cost later is counted.
 */
class Converter {
  readonly issues: Array<ConfigIssue> = []
  /** Undefined while the value of the anchor is being made. */
  private readonly anchors = new Map<string, Node.Node | undefined>()
  private repeated = 0
  private readonly place: (offset: number) => string
  private readonly invalid: (offset: number, details: string, path: Node.Path) => ConfigIssue

  constructor(
    place: (offset: number) => string,
    invalid: (offset: number, details: string, path: Node.Path) => ConfigIssue
  ) {
    this.place = place
    this.invalid = invalid
  }

  /** `offset` is where the node is said to be written: at its key, or at itself as an item of a list. */
  node(node: unknown, path: Node.Path, offset: number): Node.Node {
    const origin = this.place(offset)
    if (isAlias(node)) return { ...this.alias(node.source, path, offset), origin }
    const anchor = isScalar(node) || isCollection(node) ? node.anchor : undefined
    if (anchor !== undefined) this.anchors.set(anchor, undefined)
    const value = isSeq(node)
      ? Node.list(
          node.items.map((item, i) => this.node(item, [...path, String(i)], startOf(item, offset))),
          origin
        )
      : isMap(node)
        ? this.map(node.items, path, offset)
        : Node.fromValue(isScalar(node) ? node.value : null, origin)
    if (anchor !== undefined) this.anchors.set(anchor, value)
    return value
  }

  private alias(name: string, path: Node.Path, offset: number): Node.Node {
    const value = this.anchors.get(name)
    const shown = `*${Excerpt.of(name)}`
    const fail = (details: string) => {
      this.issues.push(this.invalid(offset, details, path))
      return Node.map([], "")
    }
    if (value === undefined) return fail(`${shown} is inside the value that it stands for`)
    const left = Limits.repeatedValues - this.repeated
    if (left < 0) return Node.map([], "")
    this.repeated += Node.countValues(value, left)
    return this.repeated > Limits.repeatedValues
      ? fail(`aliases repeat more than ${Limits.repeatedValues} values up to ${shown}; write fewer of them`)
      : value
  }

  private map(items: ReadonlyArray<unknown>, path: Node.Path, offset: number): Node.MapNode {
    const own = new Map<string, Node.Node>()
    const merged: Array<Node.Node> = []
    for (const pair of items) {
      if (!isPair(pair)) continue
      const at = startOf(pair.key, offset)
      // The parser's `merge` option makes the key `<<` a symbol. A quoted "<<" stays a string.
      if (isScalar(pair.key) && typeof pair.key.value === "symbol") {
        const value = this.node(pair.value, path, at)
        const maps = value._tag === "List" ? value.items : [value]
        if (maps.every(({ _tag }) => _tag === "Map")) merged.push(...maps)
        else this.issues.push(this.invalid(at, "<< must be followed by a map, or by a list of maps", path))
        continue
      }
      const key = this.node(pair.key, path, at)
      if (key._tag !== "Scalar") {
        this.issues.push(this.invalid(at, "a key must be a word, a number or a quoted string", path))
        continue
      }
      const name = String(key.value)
      if (own.has(name))
        this.issues.push(this.invalid(at, "the key is already in this map; remove one of the two", [...path, name]))
      own.set(name, this.node(pair.value, [...path, name], at))
    }
    const origin = this.place(offset)
    return merged.reduce<Node.MapNode>(mergeUnder, Node.map(own, origin))
  }
}

/** The offset of a node; of one without text, that of whatever contains it. */
const startOf = (node: unknown, parent: number): number => (isNode(node) ? (node.range?.[0] ?? parent) : parent)

/** `<<`: adds the keys that the map lacks from another map. Of several, the first takes precedence. */
const mergeUnder = (map: Node.MapNode, other: Node.Node): Node.MapNode =>
  other._tag === "Map" ? Node.map([...other.entries, ...map.entries], map.origin) : map
