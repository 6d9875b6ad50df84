/**
 * A group of plugins: an immutable, typed collection whose `layer` is the Registry.
 *
 *     const plugins = PluginGroup.make(Toy, Other)
 *     builtins.add(Toy).layer                // Layer<Registry, …>
 */
import type * as Layer from "effect/Layer"
import type { Any, Requirements } from "./Plugin.ts"
import type { ApiMismatch, DuplicatePlugin } from "./PluginError.ts"
import * as Registry from "./Registry.ts"

export type { Discovered, Member } from "./Registry.ts"

/**
 * A compile error, in words, for a plugin whose key the group already has. Keys that are known only at run time are
 * checked when the layer is built.
 */
export type Free<P extends Any, Taken extends string> = string extends P["key"]
  ? unknown
  : string extends Taken
    ? unknown
    : P["key"] extends Taken
      ? { readonly "the group has a plugin of this name; use override to replace it": P["key"] }
      : unknown

/** A compile error, in words, for a plugin whose key the group does not have. */
export type Held<P extends Any, Taken extends string> = P["key"] extends Taken
  ? unknown
  : { readonly "the group has no plugin of this name; use add": P["key"] }

/** The keys of a list of plugins, without the one at `I`. */
type OtherKeys<Ps extends ReadonlyArray<Any>, I> = {
  readonly [J in keyof Ps]: J extends I ? never : Ps[J]["key"]
}[number]

/** An immutable collection of plugins. `P` is the union of their types. Every method returns a new group. */
export interface PluginGroup<P extends Any> {
  readonly members: ReadonlyArray<Registry.Member<Any>>
  /** Adds a plugin, whose name must be free. */
  add<const Q extends Any>(plugin: Q & Free<Q, P["key"]>): PluginGroup<P | Q>
  /** Replaces the plugin that has the same name. */
  override<const Q extends Any>(plugin: Q & Held<Q, P["key"]>): PluginGroup<Exclude<P, { readonly key: Q["key"] }> | Q>
  /** Adds the plugins of another group. The two must have no name in common. */
  merge<Q extends Any>(group: PluginGroup<Q> & (Q extends Any ? Free<Q, P["key"]> : never)): PluginGroup<P | Q>
  /** The same plugins, with `origin` as their source in listings and errors. */
  from(origin: string): PluginGroup<P>
  /** The registry of these plugins. It needs what the plugins need. */
  readonly layer: Layer.Layer<Registry.Registry, DuplicatePlugin | ApiMismatch, Requirements<P>>
  /** Also with plugins that were discovered at run time. They load on first use and see the services of this layer. */
  layerWith(
    discovered: ReadonlyArray<Registry.Discovered>
  ): Layer.Layer<Registry.Registry, DuplicatePlugin | ApiMismatch, Requirements<P>>
}

/** A group of plugins. Two plugins of one name are a compile error, or a DuplicatePlugin error of the layer. */
export const make = <const Ps extends ReadonlyArray<Any>>(
  ...plugins: { readonly [I in keyof Ps]: Ps[I] & Free<Ps[I], OtherKeys<Ps, I>> }
): PluginGroup<Ps[number]> => fromMembers(plugins.map((plugin) => ({ plugin, origin: "this program" })))

/** `P` is not used: a list of members does not keep their types, so the callers say what they are. */
function fromMembers<P extends Any>(members: ReadonlyArray<Registry.Member<Any>>): PluginGroup<P>
function fromMembers(members: ReadonlyArray<Registry.Member<Any>>): PluginGroup<Any> {
  return {
    members,
    add: (plugin) => fromMembers([...members, { plugin, origin: "this program" }]),
    override: (plugin) =>
      fromMembers([...members.filter((m) => m.plugin.key !== plugin.key), { plugin, origin: "this program" }]),
    merge: (other) => fromMembers([...members, ...other.members]),
    from: (origin) => fromMembers(members.map(({ plugin }) => ({ plugin, origin }))),
    layer: Registry.layer(members, []),
    layerWith: (discovered) => Registry.layer(members, discovered)
  }
}
