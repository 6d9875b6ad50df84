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
import * as Layer from "effect/Layer"
import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  stringify,
  type Document as YamlDocument,
  type Node as YamlNode
} from "yaml"
import { ConfigError, ConfigIssue, fault } from "../../core/config/ConfigIssue.ts"
import * as Node from "../../core/config/ConfigNode.ts"
import { ConfigSource, type Document } from "../../core/config/ConfigSource.ts"

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
        const text = yield* Effect.mapError(fs.readFileString(file), (error) =>
          fault(name, isMissing(error) ? "there is no such file" : `cannot be read: ${error.message}`)
        )
        const root = yield* parseYaml(text.replace(/^\uFEFF/, ""), name)
        const header = /^(?:\s*(?:#.*)?\n)*?#\s*@package\s+(\S+)/.exec(text)
        if (root._tag === "Map") return { path: name, root: { ...root, origin: name }, packageName: header?.[1] }
        if (root._tag === "Scalar" && root.value === null) {
          return { path: name, root: Node.map([], name), packageName: header?.[1] }
        }
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
    const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, merge: true })
    const originAt = (offset: number | undefined) => originOf(counter.linePos(offset ?? 0).line)
    const issues = [...document.errors, ...document.warnings].map(
      ({ message, pos }) =>
        new ConfigIssue({
          problem: "invalid",
          path: [],
          expected: "",
          got: "",
          details: `not valid YAML: ${message}`,
          origin: originAt(pos[0])
        })
    )
    return issues.length > 0
      ? new ConfigError({ issues })
      : Effect.succeed(toNode(document, document.contents, (node) => originAt(node.range?.[0]), originAt(0)))
  })

const toNode = (
  document: YamlDocument,
  node: unknown,
  originOf: (node: YamlNode) => string,
  origin: string
): Node.Node => {
  if (isAlias(node)) return toNode(document, node.resolve(document), originOf, origin)
  if (isSeq(node)) {
    return Node.list(
      node.items.map((item) => toNode(document, item, originOf, isNode(item) ? originOf(item) : origin)),
      origin
    )
  }
  if (isMap(node)) {
    let result = Node.map([], origin)
    for (const pair of node.items) {
      if (!isPair(pair)) continue
      const at = isNode(pair.key) ? originOf(pair.key) : origin
      const value = toNode(document, pair.value, originOf, at)
      // The parser's `merge` option makes the key `<<` a symbol. A quoted "<<" stays a string.
      const key = isScalar(pair.key) ? pair.key.value : String(pair.key)
      result =
        typeof key === "symbol"
          ? mergeUnder(value, result)
          : Node.map(new Map(result.entries).set(String(key), value), origin)
    }
    return result
  }
  return Node.fromValue(isScalar(node) ? node.value : null, origin)
}

const isNode = (value: unknown): value is YamlNode => isScalar(value) || isMap(value) || isSeq(value) || isAlias(value)

/** `<<`: adds the keys that the map lacks from another map, or from several, of which the first takes precedence. */
const mergeUnder = (merged: Node.Node, map: Node.MapNode): Node.MapNode => {
  const maps = merged._tag === "List" ? merged.items : [merged]
  return maps.reduce<Node.MapNode>(
    (result, other) => (other._tag === "Map" ? Node.map([...other.entries, ...result.entries], result.origin) : result),
    map
  )
}
