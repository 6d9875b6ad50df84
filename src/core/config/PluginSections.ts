/**
 * Sections that name a plugin: `{ name: decoder, hidden_size: 64, … }`. The other keys belong to that plugin, so choosing another one
 * drops them, whatever chooses: a later file, another file of the group, or the command line. Keys that the command line sets stay,
 * because they were written beside the choice; the plugin's schema checks them.
 */
import * as Node from "./ConfigNode.ts"

/** The paths of such sections in a config (`pluginSections` of ConfigKeys.ts). */
export type Sections = ReadonlyArray<Node.Path>

/** The name of the plugin of a section, if it has one. */
export const pluginOf = (root: Node.Node, section: Node.Path): string | undefined => {
  const name = Node.get(root, [...section, "name"])
  return name?._tag === "Scalar" && typeof name.value === "string" ? name.value : undefined
}

/** Merges two configs. A section that names another plugin than before replaces the earlier one. */
export const merge = (earlier: Node.MapNode, later: Node.MapNode, sections: Sections): Node.MapNode =>
  Node.merge(
    replaced(earlier, later, sections, (root, section) => Node.remove(root, section)),
    later
  )

/** Inserts a value of the command line. If it names another plugin, only what the command line set before stays. */
export const insert = (
  root: Node.MapNode,
  path: Node.Path,
  value: Node.Node,
  sections: Sections,
  commandLine: string
): Node.MapNode => {
  const set = Node.insert(Node.map([], ""), path, value)
  const kept = replaced(root, set, sections, (before, section) => {
    const own = Node.get(before, section)
    const written = own === undefined ? undefined : writtenAt(own, commandLine)
    const without = Node.remove(before, section)
    return written === undefined ? without : Node.insert(without, section, written)
  })
  return Node.insert(kept, path, value)
}

const replaced = (
  earlier: Node.MapNode,
  later: Node.MapNode,
  sections: Sections,
  replace: (root: Node.MapNode, section: Node.Path) => Node.MapNode
): Node.MapNode =>
  sections.reduce((root, section) => {
    const [before, after] = [pluginOf(root, section), pluginOf(later, section)]
    return before === undefined || after === undefined || before === after ? root : replace(root, section)
  }, earlier)

/** The part of a value that has this origin. */
const writtenAt = (node: Node.Node, origin: string): Node.Node | undefined => {
  if (node._tag !== "Map") return node.origin === origin ? node : undefined
  const entries = [...node.entries].flatMap(([key, value]) => {
    const written = writtenAt(value, origin)
    return written === undefined ? [] : [[key, written] as const]
  })
  return entries.length === 0 && node.origin !== origin ? undefined : Node.map(entries, node.origin)
}
