/**
 * Kinds, plugins and groups: plain values that describe what can be plugged in. Nothing registers itself.
 *
 * A kind is a tag with a version. A plugin makes that tag's service from a config that its own Schema validates. A
 * group is an immutable collection of plugins; its `layer` is the Registry. The compiler refuses a wrong config, a
 * name that is taken and a missing service; what only shows at run time (a stranger's package) is a typed error
 * when the layer is built.
 *
 *     const Toy = Plugin.make(TokenizerKind, "toy", { description, config: Schema.Struct({ … }), make })
 *     Toy.layer({ path: "toy.txt" })         // Layer<Tokenizer, …>
 *     builtins.add(Toy).layer                // Layer<Registry, …>
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as ConfigIssue from "../config/ConfigIssue.ts"
import { type ApiMismatch, type DuplicatePlugin, PluginConfigError } from "./PluginError.ts"
import * as Registry from "./Registry.ts"

export { ApiMismatch, DuplicatePlugin, PluginConfigError, PluginInitError, UnknownPlugin } from "./PluginError.ts"

/** Marks plugins across copies of this package: symbols from the global table are the same in each of them. */
export const TypeId: unique symbol = Symbol.for("codex/Plugin")

/**
 * What plugins can be of. Two kinds with the same name and version are the same kind, whichever copy of codex made
 * them.
 */
export interface Kind<Name extends string, Id, Service> {
  readonly name: Name
  /** Raised when an existing plugin would no longer work. */
  readonly api: number
  readonly tag: Context.Tag<Id, Service>
}

/** A plugin without the types of its config and service: what a registry holds. */
export interface Any {
  readonly [TypeId]: 1
  /** `tokenizer/toy` */
  readonly key: string
  readonly kind: { readonly name: string; readonly api: number }
  readonly name: string
  readonly description: string
  readonly config: Schema.Schema.AnyNoContext
  /** Captures the environment that the plugin needs. */
  readonly bind: Effect.Effect<Bound, never, unknown>
}

/** A plugin that has its environment. */
export interface Bound {
  readonly prepare: (input: unknown) => Effect.Effect<Prepared, PluginConfigError>
}

/** A plugin that has its config. */
export interface Prepared {
  readonly config: unknown
  /** Whether another decoded config of this plugin is equal in structure. */
  readonly sameConfig: (other: unknown) => boolean
  /** The service under its kind's tag. */
  readonly make: Effect.Effect<Context.Context<never>, unknown, Scope.Scope>
}

export interface Plugin<KindName extends string, Name extends string, Id, Service, A, I, E, R> extends Any {
  readonly key: `${KindName}/${Name}`
  readonly kind: Kind<KindName, Id, Service>
  readonly name: Name
  readonly config: Schema.Schema<A, I>
  readonly make: (config: A) => Effect.Effect<Service, E, R>
  /**
   * The service, made from a config that the compiler checks; values that only a decoder can refuse are
   * PluginConfigError.
   */
  layer(config: I): Layer.Layer<Id, E | PluginConfigError, Exclude<R, Scope.Scope>>
  readonly bind: Effect.Effect<Bound, never, Exclude<R, Scope.Scope>>
}

/** The services that a plugin needs. */
export type Requirements<P extends Any> = P extends Any ? Effect.Effect.Context<P["bind"]> : never

/**
 * Refuses, with a sentence, a plugin whose key the group has. A key known only at run time is checked by the layer.
 */
type Free<P extends Any, Taken extends string> = string extends P["key"]
  ? unknown
  : string extends Taken
    ? unknown
    : P["key"] extends Taken
      ? { readonly "the group has a plugin of this name; use override to replace it": P["key"] }
      : unknown

type Held<P extends Any, Taken extends string> = P["key"] extends Taken
  ? unknown
  : { readonly "the group has no plugin of this name; use add": P["key"] }

/** The keys of a list of plugins, but for the one at `I`. */
type OtherKeys<Ps extends ReadonlyArray<Any>, I> = {
  readonly [J in keyof Ps]: J extends I ? never : Ps[J]["key"]
}[number]

/** A collection of plugins. Every method returns a new group. */
export interface Group<P extends Any> {
  readonly members: ReadonlyArray<Registry.Member<Any>>
  /** With one more plugin, whose name must be free. */
  add<const Q extends Any>(plugin: Q & Free<Q, P["key"]>): Group<P | Q>
  /** With a plugin in the place of the one that has its name. */
  override<const Q extends Any>(plugin: Q & Held<Q, P["key"]>): Group<Exclude<P, { readonly key: Q["key"] }> | Q>
  /** Together with another group, which must share no name with this one. */
  merge<Q extends Any>(group: Group<Q> & (Q extends Any ? Free<Q, P["key"]> : never)): Group<P | Q>
  /** The same plugins, said to come from `origin` in listings and errors. */
  from(origin: string): Group<P>
  readonly layer: Layer.Layer<Registry.Registry, DuplicatePlugin | ApiMismatch, Requirements<P>>
  /** With plugins found at run time, which load on first use and see the services that the group was given. */
  layerWith(
    discovered: ReadonlyArray<Registry.Discovered>
  ): Layer.Layer<Registry.Registry, DuplicatePlugin | ApiMismatch, Requirements<P>>
}

export const kind = <const Name extends string, Id, Service>(
  name: Name,
  options: { readonly api: number; readonly tag: Context.Tag<Id, Service> }
): Kind<Name, Id, Service> => ({ name, ...options })

export const make = <KindName extends string, const Name extends string, Id, Service, A, I, E = never, R = never>(
  kind: Kind<KindName, Id, Service>,
  name: Name,
  options: {
    /** One line for listings: what it is, in lower case, without a full stop. */
    readonly description: string
    readonly config: Schema.Schema<A, I>
    /** Acquires the service. Heavy packages are imported here, so that listing plugins loads none. */
    readonly make: (config: A) => Effect.Effect<Service, E, R>
  }
): Plugin<KindName, Name, Id, Service, A, I, E, R> => {
  const { config } = options
  const decodeUnknown = Schema.decodeUnknown(config, { errors: "all", onExcessProperty: "error" })
  const isConfig = Schema.is(config)
  const equivalence = Schema.equivalence(config)
  // A section without keys is null in YAML; it means a plugin that is content with its defaults.
  const decode = (input: unknown): Effect.Effect<A, PluginConfigError> =>
    decodeUnknown(input ?? {}).pipe(
      Effect.mapError(ConfigIssue.fromParseError),
      Effect.filterOrFail(
        () => ConfigIssue.excessOfEmpty(config.ast, input).length === 0,
        () => ConfigIssue.excessOfEmpty(config.ast, input)
      ),
      Effect.mapError((issues) => new PluginConfigError({ kind: kind.name, name, issues }))
    )
  const serve = (value: A): Layer.Layer<Id, E, Exclude<R, Scope.Scope>> =>
    Layer.scoped(
      kind.tag,
      Effect.suspend(() => options.make(value))
    )
  return {
    ...options,
    [TypeId]: 1,
    key: `${kind.name}/${name}`,
    kind,
    name,
    layer: (input) => Layer.unwrapEffect(Effect.map(decode(input), serve)),
    bind: Effect.map(Effect.context<Exclude<R, Scope.Scope>>(), (environment) => ({
      prepare: (input) =>
        Effect.map(decode(input), (value) => ({
          config: value,
          sameConfig: (other) => isConfig(other) && equivalence(value, other),
          make: Effect.mapInputContext(Layer.build(serve(value)), (scope: Context.Context<Scope.Scope>) =>
            Context.merge(environment, scope)
          )
        }))
    }))
  }
}

/**
 * A group of plugins. The compiler refuses two of one name; the layer does, where their names are not known to it.
 */
export const group = <const Ps extends ReadonlyArray<Any>>(
  ...plugins: { readonly [I in keyof Ps]: Ps[I] & Free<Ps[I], OtherKeys<Ps, I>> }
): Group<Ps[number]> => fromMembers(plugins.map((plugin) => ({ plugin, origin: "this program" })))

/** `P` only labels the group: it is the union of the types of the members, which a list of them cannot keep. */
function fromMembers<P extends Any>(members: ReadonlyArray<Registry.Member<Any>>): Group<P>
function fromMembers(members: ReadonlyArray<Registry.Member<Any>>): Group<Any> {
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

/** True for a plugin made by this or another copy of codex. */
export const isPlugin = (value: unknown): value is Any =>
  typeof value === "object" && value !== null && TypeId in value && value[TypeId] === 1
