/**
 * Overrides of the command line, in Hydra's notation:
 *
 *     training.epochs=2          sets a key that exists or that the schema knows
 *     model=llama-tiny           makes another choice from a group
 *     +training.dry_run=true     adds a key (`++` is the same)
 *     ~tracking.mlflow           removes a key
 *
 * A value is one YAML scalar up to its end (`prompt=Call me: now`), a quoted string or a flow collection: `[1, 2]`,
 * `{a: 1}`, `null`, `"7"`. An empty value is the empty string.
 */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"
import * as Limits from "../data/Limits.ts"
import { ConfigError, ConfigIssue, fault, formatPath, nearest, show } from "./ConfigIssue.ts"
import * as Node from "./ConfigNode.ts"
import { ConfigSource } from "./ConfigSource.ts"

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

/** Applies an override of a value. Keys that `schema` knows may be set although no file has them. */
export const apply = (
  root: Node.MapNode,
  override: Override,
  schema?: Schema.Schema.All
): Effect.Effect<Node.MapNode, ConfigError> => {
  const { action, path, value } = override
  const exists = Node.get(root, path) !== undefined
  if (action === "delete") return exists ? Effect.succeed(Node.remove(root, path)) : unknownKey(root, path, "")
  if (action === "set" && !exists && !(schema !== undefined && knows(schema.ast, path))) {
    return unknownKey(root, path, ` (+${override.key}=… adds a key)`)
  }
  return Effect.succeed(Node.insert(root, path, value))
}

const unknownKey = (root: Node.MapNode, path: Node.Path, hint: string): Effect.Effect<never, ConfigError> => {
  const { node, path: reached } = Node.reach(root, path)
  const known = node._tag === "Map" ? [...node.entries.keys()] : []
  const wrong = path.slice(0, reached.length + 1)
  const near = nearest(wrong.at(-1)!, known)
  const proposal = near === undefined ? `known: ${known.join(", ") || "none"}` : `did you mean ${near}?`
  const details = `${formatPath(wrong)} is unknown; ${proposal}${hint}`
  return new ConfigError({
    issues: [
      new ConfigIssue({
        problem: "unknown",
        path: [],
        expected: known.join(", "),
        got: "",
        details,
        origin: commandLine,
        ...(near === undefined ? {} : { nearest: near })
      })
    ]
  })
}

/** Whether a schema has a field at a path, or a record that accepts any key there. */
const knows = (ast: AST.AST, path: Node.Path): boolean => {
  const [part, ...rest] = path
  if (part === undefined) return true
  switch (ast._tag) {
    case "TypeLiteral": {
      const property = ast.propertySignatures.find(({ name }) => name === part)
      if (property !== undefined) return knows(property.type, rest)
      return ast.indexSignatures.some((signature) => knows(signature.type, rest))
    }
    case "Union":
      return ast.types.some((member) => knows(member, path))
    case "Transformation":
    case "Refinement":
      return knows(ast.from, path)
    case "Suspend":
      return knows(ast.f(), path)
    default:
      return false
  }
}
