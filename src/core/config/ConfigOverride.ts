/**
 * Overrides of the command line, in Hydra's notation:
 *
 *     training.epochs=2          sets a key that exists or that the schema knows
 *     model=llama-tiny           makes another choice from a group
 *     +experiment=long           adds a choice, or a key that no schema forbids (`++` is the same)
 *     ~tracking.mlflow           removes a key
 *
 * A value is one YAML scalar up to its end (`prompt=Call me: now`), a quoted string or a flow collection: `[1, 2]`,
 * `{a: 1}`, `null`, `"7"`. An empty value is the empty string.
 */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import * as Limits from "../data/Limits.ts"
import * as Excerpt from "../Excerpt.ts"
import { ConfigError, ConfigIssue, describe, fault, formatPath, literalsOf, show } from "./ConfigIssue.ts"
import * as Keys from "./ConfigKeys.ts"
import * as Node from "./ConfigNode.ts"
import { ConfigSource } from "./ConfigSource.ts"
import * as Sections from "./PluginSections.ts"
import { nearestKey } from "./Suggestion.ts"

/** The origin of values that the command line sets. */
export const commandLine = "command line"

/** A parsed override. */
export interface Override {
  readonly action: "set" | "add" | "delete"
  /** The key as written: `training.epochs`, or `a/b` for a nested group. */
  readonly key: string
  readonly path: Node.Path
  /** Null for a deletion. */
  readonly value: Node.Node
}

/** Parses `key=value`, `+key=value` or `~key`. */
export const parse = (text: string): Effect.Effect<Override, ConfigError, ConfigSource> =>
  Effect.gen(function* () {
    const source = yield* ConfigSource
    const match = /^(\+\+|\+|~)?([^=\s+~]+)(?:=([\s\S]*))?$/.exec(text)
    const [, sigil = "", key = "", value] = match ?? []
    const path = key.replaceAll(/\[(\d+)\]/g, ".$1").split(/[./]/)
    if (match === null || path.includes("") || (sigil !== "~" && value === undefined)) {
      const forms = "write key=value, group=name, +key=value to add, or ~key to remove"
      return yield* fault(commandLine, `${show(text)} is not an override; ${forms}`)
    }
    if (path.length > Limits.depth) {
      return yield* fault(commandLine, `${show(key)} has more than ${Limits.depth} parts`)
    }
    if (sigil === "~") return { action: "delete", key, path, value: Node.scalar(null, commandLine) }
    const node = value === undefined || value === "" ? Node.scalar("", commandLine) : yield* source.parse(value)
    return { action: sigil === "" ? "set" : "add", key, path, value: node }
  })

/** The names that an override of a group chooses. Undefined when its value is a map or a number, and so not a choice. */
export const choice = (node: Node.Node): ReadonlyArray<string> | undefined => {
  if (node._tag === "Map") return undefined
  if (node._tag === "Scalar") {
    return node.value === null ? [] : typeof node.value === "string" && node.value !== "" ? [node.value] : undefined
  }
  const names = node.items.map((item) => choice(item))
  return names.every((name) => name?.length === 1) ? names.flatMap((name) => name ?? []) : undefined
}

/** What is known of the keys of a config, besides those that it has. */
export interface Known {
  readonly schema: Schema.Schema.All | undefined
  /** The sections that name a plugin. */
  readonly sections: Sections.Sections
  /** All keys that may be written, for suggestions. */
  readonly paths: Effect.Effect<ReadonlyArray<Keys.KeyPath>>
}

/** Applies an override of a value. Keys that the schema knows may be set although no file has them; no others may be added. */
export const apply = (
  root: Node.MapNode,
  override: Override,
  { paths, schema, sections }: Known
): Effect.Effect<Node.MapNode, ConfigError> => {
  const { action, key, path, value } = override
  const exists = Node.get(root, path) !== undefined
  const known = schema !== undefined && Keys.accepts(schema.ast, path)
  if (action === "delete") {
    if (exists) return Effect.succeed(Node.remove(root, path))
    // The schema knows the key and it is not set, so there is nothing to remove.
    return known && !isOpen(schema, path)
      ? Effect.succeed(root)
      : unknownKey(root, path, Effect.succeed(Node.pathsOf(root)))
  }
  if (exists || known || (action === "add" && schema === undefined)) {
    return Effect.succeed(Sections.insert(root, path, value, sections, commandLine))
  }
  return schema === undefined
    ? unknownKey(root, path, paths, { hint: ` (+${key}=… adds a key)` })
    : unknownKey(root, path, paths, { schema })
}

/** Whether the map around a path is a record, so that the key is only one that it may have. */
const isOpen = (schema: Schema.Schema.All, path: Node.Path) =>
  !Keys.namesAt(schema.ast, path.slice(0, -1)).includes(path.at(-1)!)

const unknownKey = (
  root: Node.MapNode,
  path: Node.Path,
  paths: Effect.Effect<ReadonlyArray<Keys.KeyPath>>,
  { hint = "", schema }: { readonly hint?: string; readonly schema?: Schema.Schema.All } = {}
): Effect.Effect<never, ConfigError> =>
  Effect.gen(function* () {
    // The map in which the first unknown key was looked for.
    const parent = path.slice(
      0,
      path.findIndex((_, i) => !isKnown(root, path.slice(0, i + 1), schema))
    )
    const there = Node.get(root, parent)
    const present = there?._tag === "Map" ? [...there.entries.keys()] : []
    const names = [...new Set([...(schema === undefined ? [] : Keys.namesAt(schema.ast, parent)), ...present])]
    const issue = new ConfigIssue({
      problem: "unknown",
      path,
      expected: Excerpt.list(names),
      got: "",
      origin: commandLine
    })
    const near = nearestKey(path, yield* paths)
    const found = near === undefined ? issue : new ConfigIssue({ ...issue, nearest: formatPath(near) })
    const values = near === undefined || schema === undefined ? undefined : Keys.schemaAt(schema.ast, near)
    const takes = values === undefined || literalsOf(values).length === 0 ? undefined : describe(values)
    if (takes !== undefined) return yield* new ConfigError({ issues: [new ConfigIssue({ ...found, takes })] })
    return yield* hint === ""
      ? new ConfigError({ issues: [found] })
      : new ConfigError({ issues: [new ConfigIssue({ ...found, path: [], details: `${found.sentence}${hint}` })] })
  })

const isKnown = (root: Node.MapNode, path: Node.Path, schema: Schema.Schema.All | undefined) =>
  Node.get(root, path) !== undefined || (schema !== undefined && Keys.accepts(schema.ast, path))
