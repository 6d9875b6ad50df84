/**
 * Configs that compose, as in Hydra. A primary file names choices from groups in its `defaults:` list, the command line
 * changes choices and values, and schemas decode the result. Every value remembers the file and line where it was
 * written.
 *
 *     defaults:
 *       - model: minilm                 # model/minilm.yaml, under the key `model`
 *       - tracking: [ndjson, csv]       # several, merged in order
 *       - optional machine: laptop      # no error when the file does not exist
 *       - base                          # base.yaml next to this file, under the same key
 *       - _self_                        # this file's own content; last if it is not listed
 *
 * Later values override earlier ones, maps merge, lists are replaced. The content of a file that starts with
 * `# @package _global_` goes to the top level. `override group: name` and `group@package: name` in a defaults list are
 * not supported; they are errors.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Record from "effect/Record"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Limits from "../data/Limits.ts"
import * as Excerpt from "../Excerpt.ts"
import type { ApiMismatch, PluginInitError } from "../plugin/PluginError.ts"
import { Registry } from "../plugin/Registry.ts"
import { interpolate } from "./ConfigInterpolation.ts"
import * as ConfigIssue from "./ConfigIssue.ts"
import { ConfigError, fault } from "./ConfigIssue.ts"
import { type KeyPath, pathsOf, pluginSections } from "./ConfigKeys.ts"
import * as Node from "./ConfigNode.ts"
import * as Override from "./ConfigOverride.ts"
import { ConfigSource, type Document } from "./ConfigSource.ts"
import * as Sections from "./PluginSections.ts"
import { nearest } from "./Suggestion.ts"

export { ConfigError, ConfigIssue } from "./ConfigIssue.ts"
export type { KeyPath } from "./ConfigKeys.ts"
export type { ListNode, MapNode, Node, Path, Scalar, ScalarNode } from "./ConfigNode.ts"
export { ConfigSource, type Document } from "./ConfigSource.ts"

/** A composed config, whose values remember where they were written. */
export interface Composed {
  readonly root: Node.MapNode
  /** The files that were read, the primary one first. */
  readonly files: ReadonlyArray<string>
}

/** Options of {@link compose}. */
export interface ComposeOptions {
  /** The primary config file. */
  readonly primary: string
  /** Overrides in the order of the command line. */
  readonly overrides?: ReadonlyArray<string>
  /** Keys that this schema knows may be set without `+` although no file has them. Others cannot be added. */
  readonly schema?: Schema.Schema.All
  /**
   * Further keys that may be written, for the suggestion in an error: those of the plugins that a config names, which the schema does
   * not know. Asked only when an override has an unknown key, with the config up to there.
   */
  readonly keys?: (composed: Composed) => Effect.Effect<ReadonlyArray<KeyPath>>
}

/** Composes a config from its primary file, the files that it names, and overrides. */
export const compose = (options: ComposeOptions): Effect.Effect<Composed, ConfigError, ConfigSource> =>
  Effect.gen(function* () {
    const source = yield* ConfigSource
    const overrides = yield* Effect.forEach(options.overrides ?? [], Override.parse)
    const primary = yield* source.primary(options.primary)
    const choices = new Map(overrides.flatMap((override) => asChoice(override)))
    const read = yield* Ref.make(0)
    const sections = options.schema === undefined ? [] : pluginSections(options.schema.ast)
    const place: Place = { choices, group: "", target: [], open: [], read, sections }
    const listed = yield* expand(primary, place)
    let root = listed.root
    const files = [...listed.files]
    const { keys = () => Effect.succeed([]), schema } = options
    const knownIn = (composed: Composed): Override.Known => ({
      schema,
      sections,
      paths: Effect.map(keys(composed), (more) => [...keysOf(composed, schema), ...more])
    })
    for (const override of overrides) {
      if (override.action === "set" && listed.groups.includes(override.key) && choices.has(override.key)) continue
      const chosen = yield* choose(override, root, primary, place)
      root = chosen === undefined ? yield* Override.apply(root, override, knownIn({ root, files })) : chosen.root
      files.push(...(chosen?.files ?? []))
    }
    yield* withinLimits(root)
    const interpolated = yield* interpolate(root)
    yield* withinLimits(interpolated)
    return { root: interpolated, files: [...new Set(files)] }
  })

/** The keys of a schema and those of a config: each may be written. */
export const keysOf = (composed: Composed, schema?: Schema.Schema.All): ReadonlyArray<KeyPath> => [
  ...(schema === undefined ? [] : pathsOf(schema.ast)),
  ...Node.pathsOf(composed.root)
]

/** The same error, whose unknown keys have the nearest of these keys as their suggestion. */
export const suggest = ({ issues }: ConfigError, keys: ReadonlyArray<KeyPath>): ConfigError =>
  new ConfigError({ issues: ConfigIssue.suggest(issues, keys) })

/** Fails with the first value that is too deep, or one too many: whatever reads the config later may recurse. */
const withinLimits = (root: Node.MapNode): Effect.Effect<void, ConfigError> => {
  const excess = Node.excess(root)
  return excess === undefined ? Effect.void : fault(excess.origin, excess.details, excess.path)
}

/** The composed config as a plain value. */
export const toValue = (composed: Composed): unknown => Node.toValue(composed.root)

/** A composed config from a plain value: one written in TypeScript, or one saved with a run. */
export const fromValue = (value: { readonly [key: string]: unknown }, origin: string): Composed => ({
  root: Node.fromRecord(value, origin),
  files: [origin]
})

/** Decodes a config. The error lists every fault, also unknown keys, with the place where it was written. */
export const decode = <A, I, R>(schema: Schema.Schema<A, I, R>, composed: Composed): Effect.Effect<A, ConfigError, R> =>
  Schema.decodeUnknown(schema, { errors: "all", onExcessProperty: "error" })(toValue(composed)).pipe(
    Effect.mapError((error) => located(composed, [], ConfigIssue.fromParseError(error)))
  )

/** A section that names a plugin, with the config that the plugin's schema decoded. */
export interface DecodedSection {
  readonly name: string
  /** The plugin's config as written, for `Registry.resolve` and `Registry.layerOf`. */
  readonly config: unknown
  /** The plugin's config as decoded, defaults included. */
  readonly decoded: unknown
}

/**
 * Decodes the section `{ name: "decoder", …config }` with the schema of the plugin that it names. Faults have the full
 * key (`model.hidden_size`) and the place where it was written. If `name` is given, the section is the plugin's config
 * without a name, as in `tracking.ndjson: {…}`.
 */
export const plugin = (
  composed: Composed,
  kind: { readonly name: string; readonly api: number },
  section: Node.Path,
  name?: string
): Effect.Effect<DecodedSection, ConfigError | ApiMismatch | PluginInitError, Registry> =>
  Effect.gen(function* () {
    const registry = yield* Registry
    const node = Node.get(composed.root, section)
    const own = node === undefined ? undefined : Node.toValue(node)
    const given = name === undefined && Predicate.isRecord(own) ? own.name : name
    if (typeof given !== "string") {
      const names = registry.list(kind.name).map((info) => info.name)
      return yield* located(
        composed,
        [],
        [nameless(section, own, `the name of a ${kind.name} plugin (${names.join(", ")})`)]
      )
    }
    const config = name === undefined && Predicate.isRecord(own) ? Record.remove(own, "name") : (own ?? {})
    const decoded = yield* registry.decode(kind, given, config).pipe(
      Effect.catchTags({
        UnknownPlugin: (error) => {
          const path = name === undefined ? [...section, "name"] : section
          return fault(Node.originOf(composed.root, path), error.message, path)
        },
        PluginConfigError: (error) => located(composed, section, error.issues)
      })
    )
    return { name: given, config, decoded }
  })

const nameless = (section: Node.Path, own: unknown, expected: string) => {
  if (own !== undefined && own !== null && !Predicate.isRecord(own)) {
    const map = `a map with the key name, ${expected}`
    return new ConfigIssue.ConfigIssue({ problem: "invalid", path: section, expected: map, got: ConfigIssue.show(own) })
  }
  const given = own?.name
  const problem = given === undefined ? "missing" : "invalid"
  return new ConfigIssue.ConfigIssue({ problem, path: [...section, "name"], expected, got: ConfigIssue.show(given) })
}

const located = (composed: Composed, section: Node.Path, issues: ReadonlyArray<ConfigIssue.ConfigIssue>): ConfigError =>
  new ConfigError({
    issues: issues.map((issue) => {
      const path = [...section, ...issue.path]
      const origin = Node.originOf(composed.root, path)
      const near = issue.problem === "unknown" ? issue.nearest : undefined
      const hint = near === undefined ? {} : { nearest: [ConfigIssue.formatPath(section), near].join(".") }
      return new ConfigIssue.ConfigIssue({ ...issue, ...(section.length === 0 ? {} : hint), path, origin })
    })
  })

interface Place {
  readonly choices: ReadonlyMap<string, ReadonlyArray<string>>
  readonly group: string
  /** The key under which the document's own content goes. */
  readonly target: Node.Path
  /** The documents whose defaults lists led here, for detecting circles. */
  readonly open: ReadonlyArray<string>
  /** How many documents were read. */
  readonly read: Ref.Ref<number>
  readonly sections: Sections.Sections
}

interface Expanded extends Composed {
  /** The groups that a defaults list names. */
  readonly groups: ReadonlyArray<string>
}

const asChoice = (override: Override.Override): ReadonlyArray<readonly [string, ReadonlyArray<string>]> => {
  const names = override.action === "set" ? Override.choice(override.value) : undefined
  return names === undefined ? [] : [[override.key, names]]
}

/** A document merged with the documents of its defaults list. */
const expand = (document: Document, place: Place): Effect.Effect<Expanded, ConfigError, ConfigSource> =>
  Effect.gen(function* () {
    const source = yield* ConfigSource
    if (place.open.includes(document.path)) {
      return yield* fault(document.path, `circular defaults lists: ${[...place.open, document.path].join(" → ")}`)
    }
    if (place.open.length >= Limits.depth) {
      return yield* fault(document.path, `more than ${Limits.depth} defaults lists lead from one to the next`)
    }
    if ((yield* Ref.updateAndGet(place.read, (count) => count + 1)) > Limits.configFiles) {
      return yield* fault(document.path, `the defaults lists name more than ${Limits.configFiles} files`)
    }
    const open = [...place.open, document.path]
    const own = yield* ownContent(document, { ...place, open })
    let root = Node.map([], document.path)
    const files = [document.path]
    const groups: Array<string> = []
    for (const step of yield* steps(document)) {
      if (step._tag === "Self") {
        root = Sections.merge(root, Node.insert(Node.map([], document.path), place.target, own), place.sections)
        continue
      }
      const group = step.group ?? place.group
      const names = (step.group === undefined ? undefined : place.choices.get(group)) ?? step.names
      if (step.group !== undefined) groups.push(group)
      for (const name of names) {
        const found = yield* source.find(group, name, document)
        if (found === undefined && step.optional) continue
        if (found === undefined) {
          const origin = place.choices.get(group) === names ? Override.commandLine : step.origin
          return yield* notFound(group, name, document, origin, place.sections)
        }
        const target = step.group === undefined ? place.target : yield* targetOf(found, group)
        const inner = yield* expand(found, { ...place, group, target, open })
        root = Sections.merge(root, inner.root, place.sections)
        files.push(...inner.files)
        groups.push(...inner.groups)
      }
    }
    return { root, files, groups }
  })

/**
 * What a document says itself. A section without a name was written for the plugin of the document's own choice; where the command
 * line makes a choice with another plugin, the section is left out.
 */
const ownContent = (document: Document, place: Place): Effect.Effect<Node.MapNode, ConfigError, ConfigSource> =>
  Effect.gen(function* () {
    let own = Node.remove(document.root, ["defaults"])
    for (const step of yield* steps(document)) {
      if (step._tag === "Self" || step.group === undefined) continue
      const { group } = step
      const section = place.sections.find((path) => path.join("/") === group)
      const choice = place.choices.get(group)
      if (section === undefined || choice === undefined) continue
      if (Node.get(own, section) === undefined || Sections.pluginOf(own, section) !== undefined) continue
      const [written, chosen] = yield* Effect.forEach([step.names, choice], (names) =>
        pluginOfChoice(group, names, section, document, place)
      )
      if (written !== chosen) own = Node.remove(own, section)
    }
    return own
  })

const pluginOfChoice = (
  group: string,
  names: ReadonlyArray<string>,
  section: Node.Path,
  document: Document,
  place: Place
): Effect.Effect<string | undefined, never, ConfigSource> =>
  Effect.gen(function* () {
    const source = yield* ConfigSource
    let plugin: string | undefined
    for (const name of names) {
      const found = yield* source.find(group, name, document)
      if (found === undefined) continue
      const target = yield* targetOf(found, group)
      const { root } = yield* expand(found, { ...place, choices: new Map(), group, target })
      plugin = Sections.pluginOf(root, section) ?? plugin
    }
    return plugin
    // A file that cannot be read is an error where it is merged.
  }).pipe(Effect.orElseSucceed(() => undefined))

/** The key under which the content of a document of a group goes. */
const targetOf = (document: Document, group: string): Effect.Effect<Node.Path, ConfigError> => {
  const { packageName } = document
  if (packageName === "_global_") return Effect.succeed([])
  const path = packageName === undefined || packageName === "_group_" ? group.split("/") : packageName.split(".")
  return path.length <= Limits.depth
    ? Effect.succeed(path)
    : fault(document.path, `its key has more than ${Limits.depth} parts`)
}

const notFound = (group: string, name: string, from: Document, origin: string, sections: Sections.Sections) =>
  Effect.gen(function* () {
    const names = yield* Effect.flatMap(ConfigSource, (source) => source.names(group, from))
    const near = nearest(name, names)
    const hint = near === undefined ? "" : ` did you mean ${near}?`
    const file = Excerpt.of(group === "" ? `${name}.yaml` : `${group}/${name}.yaml`, 120)
    const section = sections.find((path) => path.join("/") === group)
    const plugin =
      section === undefined || near !== undefined
        ? ""
        : ` (a plugin of that name is ${section.join(".")}.name=${Excerpt.of(name)})`
    return yield* fault(
      origin,
      `there is no config ${file};${hint} available: ${Excerpt.list(names) || "none"}${plugin}`
    )
  })

/**
 * A choice from a group that no defaults list names: `+model=x` merges it in, `model=x` replaces the section. Undefined
 * when the override sets a value instead.
 */
const choose = (override: Override.Override, root: Node.MapNode, primary: Document, outer: Place) =>
  Effect.gen(function* () {
    const source = yield* ConfigSource
    const names =
      override.action === "delete" || override.key.includes(".") ? [] : (Override.choice(override.value) ?? [])
    const present = Node.get(root, override.path)
    const found = yield* Effect.forEach(names, (name) => source.find(override.key, name, primary))
    if (found.length === 0) return undefined
    if (found.includes(undefined)) {
      // A name for a section, or for a group that has files, can only be meant as a choice.
      const group = present === undefined ? yield* source.names(override.key, primary) : []
      const wrong = names[found.indexOf(undefined)]!
      return present?._tag === "Map" || group.length > 0
        ? yield* notFound(override.key, wrong, primary, Override.commandLine, outer.sections)
        : undefined
    }
    const place: Place = { ...outer, choices: new Map(), group: override.key, open: [primary.path] }
    let result = override.action === "set" ? Node.remove(root, override.path) : root
    const files: Array<string> = []
    for (const document of found) {
      if (document === undefined) continue
      const inner = yield* expand(document, { ...place, target: yield* targetOf(document, override.key) })
      result = Sections.merge(result, inner.root, place.sections)
      files.push(...inner.files)
    }
    return { root: result, files }
  })

type Step =
  | { readonly _tag: "Self" }
  | {
      readonly _tag: "Load"
      /** Undefined for a file next to the document. */
      readonly group: string | undefined
      readonly names: ReadonlyArray<string>
      readonly optional: boolean
      readonly origin: string
    }

/** A defaults list as steps. The document's own content is the last step unless the list contains `_self_`. */
const steps = (document: Document): Effect.Effect<ReadonlyArray<Step>, ConfigError> =>
  Effect.gen(function* () {
    const defaults = document.root.entries.get("defaults")
    const self: Step = { _tag: "Self" }
    if (defaults === undefined) return [self]
    if (defaults._tag !== "List") return yield* fault(defaults.origin, "defaults: expected a list")
    const found = yield* Effect.forEach(defaults.items, step)
    return found.some(({ _tag }) => _tag === "Self") ? found : [...found, self]
  })

const step = (item: Node.Node): Effect.Effect<Step, ConfigError> => {
  const { origin } = item
  if (item._tag === "Scalar" && item.value === "_self_") return Effect.succeed({ _tag: "Self" })
  if (item._tag === "Scalar" && typeof item.value === "string") {
    return Effect.succeed({ _tag: "Load", group: undefined, names: [item.value], optional: false, origin })
  }
  const [entry, ...others] = item._tag === "Map" ? [...item.entries] : []
  const [key, value] = entry ?? []
  const names = value === undefined ? undefined : Override.choice(value)
  const match = /^(optional\s+)?\/?([^\s@]+)$/.exec(key ?? "")
  if (names === undefined || match === null || others.length > 0) {
    const forms = "write `- group: name`, `- group: [a, b]`, `- optional group: name`, `- name` or `- _self_`"
    return fault(origin, `${ConfigIssue.show(Node.toValue(item))} is not a valid entry of a defaults list; ${forms}`)
  }
  return Effect.succeed({ _tag: "Load", group: match[2], names, optional: match[1] !== undefined, origin })
}
