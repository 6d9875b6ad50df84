/**
 * A config value that remembers where each of its parts was written, so that an error can name the file and the line.
 *
 * Values merge as in Hydra: maps merge key by key, everything else (lists too) is replaced by the later value. Documents
 * are merged from first to last. Merging is associative unless a key is a map in one document and not in another.
 */
import * as Predicate from "effect/Predicate"
import * as Limits from "../data/Limits.ts"

/** A value other than a list or map. */
export type Scalar = string | number | boolean | null

/** A value with the place where it was written. */
export interface ScalarNode {
  readonly _tag: "Scalar"
  readonly value: Scalar
  /** `configs/model/minilm.yaml:7`, `command line` */
  readonly origin: string
}
/** A list with the place where it was written. */
export interface ListNode {
  readonly _tag: "List"
  readonly items: ReadonlyArray<Node>
  readonly origin: string
}
/** A map with the place where it was written. */
export interface MapNode {
  readonly _tag: "Map"
  readonly entries: ReadonlyMap<string, Node>
  readonly origin: string
}
/** A config value with the place where it was written. */
export type Node = ScalarNode | ListNode | MapNode
/** Keys of maps and indices of lists, from the root. */
export type Path = ReadonlyArray<string>

export const scalar = (value: Scalar, origin: string): ScalarNode => ({ _tag: "Scalar", value, origin })
export const list = (items: ReadonlyArray<Node>, origin: string): ListNode => ({ _tag: "List", items, origin })
export const map = (entries: Iterable<readonly [string, Node]>, origin: string): MapNode => ({
  _tag: "Map",
  entries: new Map(entries),
  origin
})

/** The plain value, for decoding and saving. */
export const toValue = (node: Node): unknown => {
  switch (node._tag) {
    case "Scalar":
      return node.value
    case "List":
      return node.items.map(toValue)
    case "Map":
      return Object.fromEntries([...node.entries].map(([key, value]) => [key, toValue(value)]))
  }
}

/** The node of a plain value (JSON or YAML data). Other values become strings. */
export const fromValue = (value: unknown, origin: string): Node => {
  if (Array.isArray(value))
    return list(
      value.map((item) => fromValue(item, origin)),
      origin
    )
  if (Predicate.isRecord(value)) return fromRecord(value, origin)
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? scalar(value, origin)
    : scalar(value === null || value === undefined ? null : String(value), origin)
}

/** The node of a plain record. */
export const fromRecord = (value: { readonly [key: string]: unknown }, origin: string): MapNode =>
  map(
    Object.entries(value).map(([key, item]) => [key, fromValue(item, origin)]),
    origin
  )

/** Merges two values: maps key by key, anything else is replaced by the later value. */
export function merge(earlier: MapNode, later: MapNode): MapNode
export function merge(earlier: Node, later: Node): Node
export function merge(earlier: Node, later: Node): Node {
  if (earlier._tag !== "Map" || later._tag !== "Map") return later
  const entries = new Map(earlier.entries)
  for (const [key, value] of later.entries) {
    const present = entries.get(key)
    entries.set(key, present === undefined ? value : merge(present, value))
  }
  return map(entries, later.origin)
}

/** The child of a map by key or of a list by index. */
const child = (node: Node, part: string): Node | undefined =>
  node._tag === "Map"
    ? node.entries.get(part)
    : node._tag === "List" && /^\d+$/.test(part)
      ? node.items[Number(part)]
      : undefined

/** The node at a path. */
export const get = (node: Node, path: Path): Node | undefined =>
  path.reduce<Node | undefined>((found, part) => (found === undefined ? undefined : child(found, part)), node)

/** The longest prefix of a path that exists, and the node there. */
export const reach = (root: Node, path: Path): { readonly node: Node; readonly path: Path } => {
  let node = root
  for (const [depth, part] of path.entries()) {
    const next = child(node, part)
    if (next === undefined) return { node, path: path.slice(0, depth) }
    node = next
  }
  return { node, path }
}

/** Where the value at a path was written. For a path that does not exist, the origin of the nearest parent. */
export const originOf = (root: Node, path: Path): string => reach(root, path).node.origin

/** Merges a value into a map at a path. Missing parents become maps, and a scalar on the way is replaced by a map. */
export const insert = (root: MapNode, path: Path, value: Node): MapNode => {
  const [part, ...rest] = path
  if (part === undefined) return value._tag === "Map" ? merge(root, value) : root
  return map(new Map(root.entries).set(part, insertAt(root.entries.get(part), rest, value)), root.origin)
}

const insertAt = (present: Node | undefined, path: Path, value: Node): Node => {
  const [part, ...rest] = path
  if (part === undefined) return present === undefined ? value : merge(present, value)
  if (present?._tag === "List" && child(present, part) !== undefined) {
    return list(present.items.with(Number(part), insertAt(child(present, part), rest, value)), present.origin)
  }
  return insert(present?._tag === "Map" ? present : map([], value.origin), path, value)
}

/** The map without the value at a path. */
export const remove = (root: MapNode, path: Path): MapNode => {
  const [part, ...rest] = path
  const present = part === undefined ? undefined : root.entries.get(part)
  if (part === undefined || present === undefined) return root
  const entries = new Map(root.entries)
  if (rest.length === 0) entries.delete(part)
  else if (present._tag === "Map") entries.set(part, remove(present, rest))
  return map(entries, root.origin)
}

/** The first value that makes a config too large for what reads it afterwards: one too deep, or one too many. */
export interface Excess {
  readonly path: Path
  readonly origin: string
  readonly details: string
}

/** Finds it without recursion, in at most `Limits.configValues` steps. */
export const excess = (root: Node): Excess | undefined => {
  const open: Array<{ readonly key: string; readonly entries: Iterator<readonly [string, Node]> }> = []
  let next: readonly [string, Node] | undefined = ["", root]
  for (let values = 1; next !== undefined; values++) {
    const [key, node]: readonly [string, Node] = next
    const found = (details: string): Excess => ({
      path: [...open.map((level) => level.key), key].slice(1),
      origin: node.origin,
      details
    })
    if (values > Limits.configValues) return found(`the config has more than ${Limits.configValues} values`)
    if (node._tag !== "Scalar") {
      if (open.length === Limits.depth) return found(`more than ${Limits.depth} maps and lists are inside each other`)
      open.push({ key, entries: childrenOf(node) })
    }
    next = undefined
    for (let level = open.at(-1); level !== undefined && next === undefined; level = open.at(-1)) {
      const step = level.entries.next()
      if (step.done === true) open.pop()
      else next = step.value
    }
  }
  return undefined
}

const childrenOf = (node: ListNode | MapNode): Iterator<readonly [string, Node]> =>
  node._tag === "Map"
    ? node.entries.entries()
    : node.items.map((item, i): readonly [string, Node] => [String(i), item]).values()

/** How many values a node has, itself included; `most + 1` for any larger number. */
export const countValues = (node: Node, most: number): number => {
  const waiting: Array<Node> = [node]
  let count = 0
  for (let next = waiting.pop(); next !== undefined && count <= most; next = waiting.pop()) {
    count += 1
    if (next._tag === "Map") waiting.push(...[...next.entries.values()].slice(0, most + 1))
    else if (next._tag === "List") waiting.push(...next.items.slice(0, most + 1))
  }
  return count
}

/** The paths of all keys of maps, each after its parents. */
export const pathsOf = (node: Node): ReadonlyArray<Path> =>
  node._tag === "Map"
    ? [...node.entries].flatMap(([key, value]) => [[key], ...pathsOf(value).map((path) => [key, ...path])])
    : []
