/**
 * Plugins and their kinds: plain values that describe what can be plugged in. Nothing registers itself.
 *
 * A kind is a tag with a version. A plugin makes that tag's service from a config that its own Schema validates. The
 * compiler refuses a wrong config and a missing service; what shows only at run time (a third-party package) is a
 * typed error when the layer is built. Plugins are gathered in a group (PluginGroup.ts), whose layer is the Registry.
 *
 *     const Toy = Plugin.make(Tokenizer.kind, "toy", { description, config: Schema.Struct({ … }), make })
 *     Toy.layer({ path: "toy.txt" })         // Layer<Tokenizer, …>
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as ConfigIssue from "../config/ConfigIssue.ts"
import type { Contract } from "./Contract.ts"
import type * as FilePattern from "./FilePattern.ts"
import { PluginConfigError } from "./PluginError.ts"

export type { Contract } from "./Contract.ts"
export {
  ApiMismatch,
  DuplicatePlugin,
  PluginConfigError,
  PluginFault,
  PluginInitError,
  UnknownPlugin
} from "./PluginError.ts"

/** Marks plugins. A symbol of the global registry is the same in every copy of this package. */
export const TypeId: unique symbol = Symbol.for("codex/Plugin")

/**
 * A kind of plugin: a service that plugins make, with the version of its interface. Kinds are compared by name and
 * version, so plugins of two copies of codex-ml work together.
 */
export interface Kind<Name extends string, Id, Service> {
  readonly name: Name
  /** The version of the interface. It is raised when existing plugins would no longer work. */
  readonly api: number
  readonly tag: Context.Tag<Id, Service>
  /** What the services must give. It is checked where a plugin of another package is used. */
  readonly contract?: Contract
}

/** A plugin without the types of its config and service, as the registry holds it. */
export interface Any {
  readonly [TypeId]: 1
  /** `tokenizer/toy` */
  readonly key: string
  readonly kind: { readonly name: string; readonly api: number }
  readonly name: string
  readonly description: string
  readonly config: Schema.Schema.AnyNoContext
  /** The files that the plugin reads. */
  readonly reads?: FilePattern.Declared
  /** Captures the services that the plugin needs. */
  readonly bind: Effect.Effect<Bound, never, unknown>
}

/** A plugin together with the services that it needs. */
export interface Bound {
  /** Decodes a config. */
  readonly prepare: (input: unknown) => Effect.Effect<Prepared, PluginConfigError>
}

/** A plugin together with a decoded config. */
export interface Prepared {
  /** The decoded config, defaults included. */
  readonly config: unknown
  /** Whether another decoded config of this plugin has the same structure and values. */
  readonly sameConfig: (other: unknown) => boolean
  /** The service under its kind's tag. */
  readonly make: Effect.Effect<Context.Context<never>, unknown, Scope.Scope>
}

/** A plugin of kind `Id`, whose config is written as `I` and decoded to `A`. Made by {@link make}. */
export interface Plugin<KindName extends string, Name extends string, Id, Service, A, I, E, R> extends Any {
  readonly key: `${KindName}/${Name}`
  readonly kind: Kind<KindName, Id, Service>
  readonly name: Name
  readonly config: Schema.Schema<A, I>
  readonly make: (config: A) => Effect.Effect<Service, E, R>
  /** The service as a Layer. The compiler checks the config's type; a value that the Schema refuses is an error. */
  layer(config: I): Layer.Layer<Id, E | PluginConfigError, Exclude<R, Scope.Scope>>
  readonly bind: Effect.Effect<Bound, never, Exclude<R, Scope.Scope>>
}

/** The services that a plugin needs. */
export type Requirements<P extends Any> = P extends Any ? Effect.Effect.Context<P["bind"]> : never

/** Declares a kind of plugin. */
export const kind = <const Name extends string, Id, Service>(
  name: Name,
  options: { readonly api: number; readonly tag: Context.Tag<Id, Service>; readonly contract?: Contract }
): Kind<Name, Id, Service> => ({ name, ...options })

/** Declares a plugin. Nothing runs until its layer is built or the registry resolves it. */
export const make = <KindName extends string, const Name extends string, Id, Service, A, I, E = never, R = never>(
  kind: Kind<KindName, Id, Service>,
  name: Name,
  options: {
    /** One line for listings: what it is, in lower case, without a full stop. */
    readonly description: string
    /** The Schema of the config. It is the only description of the plugin's options: messages and help derive from it. */
    readonly config: Schema.Schema<A, I>
    /**
     * The files that the plugin reads (FilePattern.ts), so that it is found by a path. A tokenizer gets the file as `path` in
     * its config, a dataset as one of `paths`.
     */
    readonly reads?: FilePattern.Declared
    /** Acquires the service. Import heavy packages here, so that listing plugins does not load them. */
    readonly make: (config: A) => Effect.Effect<Service, E, R>
  }
): Plugin<KindName, Name, Id, Service, A, I, E, R> => {
  const { config } = options
  const decodeUnknown = Schema.decodeUnknown(config, { errors: "all", onExcessProperty: "error" })
  const isConfig = Schema.is(config)
  const equivalence = Schema.equivalence(config)
  // A section without keys is null in YAML. It means the defaults.
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
      Effect.suspend(() => {
        const made = options.make(value)
        return Effect.isEffect(made) ? made : Effect.dieMessage("its make did not return an Effect")
      })
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

/** True for a plugin made by this or another copy of codex-ml. */
export const isPlugin = (value: unknown): value is Any => Predicate.hasProperty(value, TypeId) && value[TypeId] === 1
