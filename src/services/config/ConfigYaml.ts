/**
 * YAML 1.2 with line numbers: text to config nodes and back. Anchors, aliases and `<<` merge keys work; tags that
 * make anything but plain data, several documents in a file and duplicate keys do not.
 */
import * as Effect from "effect/Effect"
import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  stringify,
  type Node as YamlNode
} from "yaml"
import { ConfigError, ConfigIssue } from "../../core/config/Config.ts"
import * as Node from "../../core/config/ConfigNode.ts"

/** `name` is what origins start with: a file, or `command line`, which has no lines. */
export const parse = (text: string, name: string, lines: boolean): Effect.Effect<Node.Node, ConfigError> =>
  Effect.suspend(() => {
    const counter = new LineCounter()
    const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, merge: true })
    const originAt = (offset: number | undefined) => (lines ? `${name}:${counter.linePos(offset ?? 0).line}` : name)
    const faults = [...document.errors, ...document.warnings].map(
      ({ message, pos }) =>
        new ConfigIssue({
          problem: "invalid",
          path: [],
          expected: "",
          got: "",
          details: `this is no valid YAML: ${message}`,
          origin: originAt(pos[0])
        })
    )
    return faults.length > 0
      ? new ConfigError({ issues: faults })
      : Effect.succeed(toNode(document, document.contents, (node) => originAt(node.range?.[0]), originAt(0)))
  })

/**
 * A value of the command line. What starts as a flow collection or a quoted string is YAML; anything else is one
 * scalar to its end, so that `prompt=Call me: now` is no map and `tag=#1` no comment.
 */
export const parseValue = (text: string, name: string): Effect.Effect<Node.Node, ConfigError> => {
  const whole = Effect.succeed(Node.scalar(text, name))
  if (/^\s*[[{"']/.test(text)) return parse(text, name, false)
  if (/[#:&*!|>%@`]/.test(text)) return whole
  return parse(text, name, false).pipe(
    Effect.flatMap((node) => (node._tag === "Scalar" && typeof node.value !== "string" ? Effect.succeed(node) : whole)),
    Effect.orElse(() => whole)
  )
}

/** A plain value as YAML, for saving what ran. Reading it back gives the value. */
export const toYaml = (value: unknown): string => stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })

const toNode = (document: Document, node: unknown, originOf: (node: YamlNode) => string, origin: string): Node.Node => {
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
      // The parser's `merge` option makes the key `<<` a symbol, and leaves a quoted one a string.
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
/** `<<`: the keys of another map, or of several of which the first wins, for those that the map lacks. */
const mergeUnder = (merged: Node.Node, map: Node.MapNode): Node.MapNode => {
  const maps = merged._tag === "List" ? merged.items : [merged]
  return maps.reduce<Node.MapNode>(
    (result, other) => (other._tag === "Map" ? Node.map([...other.entries, ...result.entries], result.origin) : result),
    map
  )
}
