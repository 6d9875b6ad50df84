/**
 * A config value that remembers where each of its parts was written, so that an error can name the file and the line.
 *
 * Merging is Hydra's: maps merge key by key, everything else (lists too) is replaced by what comes later. Folding
 * from the left is the meaning; merging is associative as long as no key is a map in one place and something else
 * in another.
 */

export type Scalar = string | number | boolean | null

export interface ScalarNode {
  readonly _tag: "Scalar"
  readonly value: Scalar
  /** `configs/model/minilm.yaml:7`, `command line` */
  readonly origin: string
}
export interface ListNode {
  readonly _tag: "List"
  readonly items: ReadonlyArray<Node>
  readonly origin: string
}
export interface MapNode {
  readonly _tag: "Map"
  readonly entries: ReadonlyMap<string, Node>
  readonly origin: string
}
export type Node = ScalarNode | ListNode | MapNode
export type Path = ReadonlyArray<string>

export const scalar = (value: Scalar, origin: string): ScalarNode => ({ _tag: "Scalar", value, origin })
export const list = (items: ReadonlyArray<Node>, origin: string): ListNode => ({ _tag: "List", items, origin })
export const map = (entries: Iterable<readonly [string, Node]>, origin: string): MapNode => ({
  _tag: "Map",
  entries: new Map(entries),
  origin
})

/** The plain value: what a Schema decodes and what is saved. */
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

/** Nodes of a plain value (JSON or YAML data); what is neither is written as a string. */
export const fromValue = (value: unknown, origin: string): Node => {
  if (Array.isArray(value))
    return list(
      value.map((item) => fromValue(item, origin)),
      origin
    )
  if (typeof value === "object" && value !== null) return fromRecord({ ...value }, origin)
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? scalar(value, origin)
    : scalar(value === null || value === undefined ? null : String(value), origin)
}

export const fromRecord = (value: { readonly [key: string]: unknown }, origin: string): MapNode =>
  map(
    Object.entries(value).map(([key, item]) => [key, fromValue(item, origin)]),
    origin
  )

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

export const get = (node: Node, path: Path): Node | undefined =>
  path.reduce<Node | undefined>((found, part) => (found === undefined ? undefined : child(found, part)), node)

/** The longest beginning of a path that exists, and the node there. */
export const reach = (root: Node, path: Path): { readonly node: Node; readonly path: Path } => {
  let node = root
  for (const [depth, part] of path.entries()) {
    const next = child(node, part)
    if (next === undefined) return { node, path: path.slice(0, depth) }
    node = next
  }
  return { node, path }
}

/** Where a path was written; for a path that does not exist, where the nearest thing around it was. */
export const originOf = (root: Node, path: Path): string => reach(root, path).node.origin

/** Merges a value in at a path below a map. What is missing on the way becomes a map; so does a scalar. */
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

export const remove = (root: MapNode, path: Path): MapNode => {
  const [part, ...rest] = path
  const present = part === undefined ? undefined : root.entries.get(part)
  if (part === undefined || present === undefined) return root
  const entries = new Map(root.entries)
  if (rest.length === 0) entries.delete(part)
  else if (present._tag === "Map") entries.set(part, remove(present, rest))
  return map(entries, root.origin)
}
