/**
 * The registry: finds plugins by kind and name, decodes their configs, and shares the services that they make.
 *
 * It is built once, from a group (PluginGroup.ts) and the plugins that were discovered at run time, so there is no order
 * of registration. Listing reads metadata only. Discovered plugins load on first use. A plugin with an equal config is
 * one shared instance while it is in use.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import * as JSONSchema from "effect/JSONSchema"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as RcMap from "effect/RcMap"
import type * as Scope from "effect/Scope"
import { type KeyPath, pathsOf } from "../config/ConfigKeys.ts"
import { nearest } from "../config/Suggestion.ts"
import * as Contract from "./Contract.ts"
import * as FilePattern from "./FilePattern.ts"
import type * as Plugin from "./Plugin.ts"
import { ApiMismatch, DuplicatePlugin, type PluginConfigError, PluginInitError, UnknownPlugin } from "./PluginError.ts"

/** A plugin of a group, and the source that listings and errors name. */
export interface Member<P extends Plugin.Any> {
  readonly plugin: P
  readonly origin: string
}

/** A plugin that a manifest declares. It is not loaded yet. */
export interface Discovered {
  readonly kind: string
  readonly name: string
  readonly api: number
  /** The package with its version. */
  readonly origin: string
  readonly description: string | undefined
  readonly reads?: FilePattern.Declared
  readonly load: Effect.Effect<Plugin.Any, Error>
}

/** What is known about a plugin without running it. */
export interface PluginInfo {
  readonly key: string
  readonly kind: string
  readonly name: string
  readonly description: string | undefined
  readonly api: number
  readonly origin: string
  /** The files that the plugin reads. */
  readonly reads: ReadonlyArray<FilePattern.FilePattern>
  /**
   * JSON Schema (draft 7) of the config. Undefined while a discovered plugin is not loaded, and for a Schema that
   * JSON Schema cannot express.
   */
  readonly config: object | undefined
}

/** Why the registry cannot give a plugin's service. */
export type ResolveError = UnknownPlugin | ApiMismatch | PluginConfigError | PluginInitError

/** Gives the services of plugins that are chosen by name at run time. */
export class Registry extends Context.Tag("codex/Registry")<Registry, Registry.Service>() {
  /** The service of a plugin that is chosen by name, as a Layer. */
  static layerOf<Name extends string, Id, Service>(
    kind: Plugin.Kind<Name, Id, Service>,
    name: string,
    config: unknown
  ): Layer.Layer<Id, ResolveError, Registry> {
    return Layer.scoped(
      kind.tag,
      Effect.flatMap(Registry, (registry) => registry.resolve(kind, name, config))
    )
  }
}

export declare namespace Registry {
  interface Service {
    /** Metadata of the plugins of one kind, or of all, sorted by key. No plugin is loaded or run. */
    readonly list: (kind?: string) => ReadonlyArray<PluginInfo>
    /** Metadata of one plugin with the JSON Schema of its config. A discovered plugin is loaded for it. */
    readonly describe: (
      kind: string,
      name: string
    ) => Effect.Effect<PluginInfo, UnknownPlugin | ApiMismatch | PluginInitError>
    /** The keys of a plugin's config, at any depth. A discovered plugin is loaded for it. */
    readonly keys: (
      kind: string,
      name: string
    ) => Effect.Effect<ReadonlyArray<KeyPath>, UnknownPlugin | ApiMismatch | PluginInitError>
    /** Decodes a config with the plugin's Schema, without making the service. Gives the config with its defaults. */
    readonly decode: (
      kind: { readonly name: string; readonly api: number },
      name: string,
      config: unknown
    ) => Effect.Effect<unknown, ResolveError>
    /** The plugin's service, which lives at least as long as the scope. Equal configs share one instance. */
    readonly resolve: <Name extends string, Id, Service>(
      kind: Plugin.Kind<Name, Id, Service>,
      name: string,
      config: unknown
    ) => Effect.Effect<Service, ResolveError, Scope.Scope>
  }
}

/** The registry of a group's members and of discovered plugins. They see the services that this layer is given. */
export const layer = (
  members: ReadonlyArray<Member<Plugin.Any>>,
  discovered: ReadonlyArray<Discovered>
): Layer.Layer<Registry, DuplicatePlugin | ApiMismatch, unknown> =>
  Layer.scoped(
    Registry,
    Effect.gen(function* () {
      const environment = yield* Effect.context<unknown>()
      const entries = yield* collect([
        ...members.map((member) => fromMember(member, environment)),
        ...discovered.map((found) => fromDiscovered(found, environment))
      ])
      const instances = yield* RcMap.make({ lookup: (instance: Instance) => instance.make })

      const find = (kind: string, name: string): Effect.Effect<Entry, UnknownPlugin> => {
        const entry = entries.get(`${kind}/${name}`)
        if (entry !== undefined) return Effect.succeed(entry)
        const available = [...entries.values()].flatMap(({ info }) => (info.kind === kind ? [info.name] : [])).sort()
        const near = nearest(name, available)
        return new UnknownPlugin({ kind, name, available, ...(near === undefined ? {} : { nearest: near }) })
      }

      const prepare = (kind: { readonly name: string; readonly api: number }, name: string, config: unknown) =>
        Effect.gen(function* () {
          const entry = yield* find(kind.name, name)
          yield* checkApi(entry.info, kind.api)
          const { bound } = yield* entry.load
          const prepared = bound.prepare(config)
          return { entry, prepared: yield* entry.foreign ? foreignDefects(entry.info, prepared) : prepared }
        })

      return {
        list: (kind) =>
          [...entries.values()]
            .map(({ info }) => info)
            .filter((info) => kind === undefined || info.kind === kind)
            .sort((a, b) => (a.key < b.key ? -1 : 1)),
        describe: (kind, name) =>
          find(kind, name).pipe(
            Effect.flatMap((entry) => entry.load),
            Effect.map(({ info }) => info)
          ),
        keys: (kind, name) =>
          find(kind, name).pipe(
            Effect.flatMap((entry) => entry.load),
            Effect.map(({ schema }) => pathsOf(schema.ast))
          ),
        decode: (kind, name, config) => Effect.map(prepare(kind, name, config), ({ prepared }) => prepared.config),
        resolve: (kind, name, config) =>
          Effect.gen(function* () {
            const { entry, prepared } = yield* prepare(kind, name, config)
            const context = yield* RcMap.get(instances, new Instance(entry, prepared, guarding(entry, kind)))
            return yield* Option.match(Context.getOption(context, kind.tag), {
              onSome: Effect.succeed,
              onNone: () => initError(entry.info, new Error(`its make did not give a ${kind.tag.key} service`))
            })
          })
      }
    })
  )

interface Entry {
  readonly info: PluginInfo
  /** Loads the plugin: its metadata with the config's JSON Schema, and the plugin bound to its services. */
  readonly load: Effect.Effect<
    { readonly info: PluginInfo; readonly schema: Plugin.Any["config"]; readonly bound: Plugin.Bound },
    ApiMismatch | PluginInitError
  >
  /** Third-party code may die where it should fail. Defects of this program's own plugins stay defects. */
  readonly foreign: boolean
}

/** The key of the map of shared instances: equal for the same plugin with an equal decoded config. */
class Instance implements Equal.Equal {
  readonly entry: Entry
  readonly prepared: Plugin.Prepared
  readonly guard: Guard
  constructor(entry: Entry, prepared: Plugin.Prepared, guard: Guard) {
    this.entry = entry
    this.prepared = prepared
    this.guard = guard
  }
  get make(): Effect.Effect<Context.Context<never>, PluginInitError, Scope.Scope> {
    const { info, foreign } = this.entry
    const made = Effect.mapError(this.prepared.make, (cause) => initError(info, cause))
    return foreign ? Effect.flatMap(foreignDefects(info, made), this.guard) : made
  }
  [Equal.symbol](that: Equal.Equal): boolean {
    return (
      that instanceof Instance &&
      that.entry.info.key === this.entry.info.key &&
      this.prepared.sameConfig(that.prepared.config)
    )
  }
  [Hash.symbol](): number {
    return Hash.string(this.entry.info.key)
  }
}

/** Checks and guards the service of a plugin from another package. */
type Guard = (made: Context.Context<never>) => Effect.Effect<Context.Context<never>, PluginInitError>

const guarding =
  <Name extends string, Id, Service>(entry: Entry, { contract, tag }: Plugin.Kind<Name, Id, Service>): Guard =>
  (made) => {
    const service = Option.getOrUndefined(Context.getOption(made, tag))
    if (contract === undefined || service === undefined) return Effect.succeed(made)
    const problem = Contract.problem(service, contract)
    if (problem !== undefined || !Predicate.isObject(service)) return initError(entry.info, new Error(problem))
    return Effect.succeed(Context.add(made, tag, Contract.guard(service, contract, pluginOf(entry.info))))
  }

const pluginOf = ({ kind, name, origin }: PluginInfo): Contract.Blamed => ({ kind, name, origin })

/** The code of another package may throw anywhere. */
const foreignDefects = <A, E, R>(info: PluginInfo, effect: Effect.Effect<A, E, R>) =>
  Effect.catchAllDefect(effect, (cause) => initError(info, cause))

const initError = (info: PluginInfo, cause: unknown) =>
  new PluginInitError({ kind: info.kind, name: info.name, origin: info.origin, cause })

/** Nothing says which versions are compatible, so any difference is refused. */
const checkApi = (info: PluginInfo, expected: number): Effect.Effect<void, ApiMismatch> =>
  info.api === expected
    ? Effect.void
    : new ApiMismatch({ kind: info.kind, name: info.name, origin: info.origin, plugin: info.api, expected })

const describePlugin = (plugin: Plugin.Any, origin: string): PluginInfo => ({
  key: plugin.key,
  kind: plugin.kind.name,
  name: plugin.name,
  description: plugin.description,
  api: plugin.kind.api,
  origin,
  reads: FilePattern.fromDeclared(plugin.reads),
  get config() {
    return Option.getOrUndefined(Option.liftThrowable(() => JSONSchema.make(plugin.config))())
  }
})

const bind = (plugin: Plugin.Any, environment: Context.Context<unknown>): Effect.Effect<Plugin.Bound> =>
  Effect.mapInputContext(plugin.bind, () => environment)

const loaded = (plugin: Plugin.Any, info: PluginInfo, environment: Context.Context<unknown>) =>
  Effect.map(bind(plugin, environment), (bound) => ({ info, schema: plugin.config, bound }))

const fromMember = ({ plugin, origin }: Member<Plugin.Any>, environment: Context.Context<unknown>): Entry => {
  const info = describePlugin(plugin, origin)
  return { info, foreign: false, load: loaded(plugin, info, environment) }
}

const fromDiscovered = (found: Discovered, environment: Context.Context<unknown>): Entry => {
  const { kind, name, api, origin, description, reads } = found
  const info: PluginInfo = {
    key: `${kind}/${name}`,
    kind,
    name,
    api,
    origin,
    description,
    reads: FilePattern.fromDeclared(reads),
    config: undefined
  }
  return {
    info,
    foreign: true,
    load: Effect.gen(function* () {
      const plugin = yield* Effect.mapError(found.load, (cause) => initError(info, cause))
      const description = describePlugin(plugin, origin)
      yield* checkApi(description, api)
      return yield* foreignDefects(info, loaded(plugin, description, environment))
    })
  }
}

/** Plugins by key. Refuses two of one name, and plugins of one kind that were written for different versions of it. */
const collect = (
  entries: ReadonlyArray<Entry>
): Effect.Effect<ReadonlyMap<string, Entry>, DuplicatePlugin | ApiMismatch> =>
  Effect.gen(function* () {
    const byKey = new Map<string, Entry>()
    const apis = new Map<string, number>()
    for (const entry of entries) {
      const { info } = entry
      const other = byKey.get(info.key)
      if (other !== undefined) {
        const origins = [other.info.origin, info.origin]
        return yield* new DuplicatePlugin({ kind: info.kind, name: info.name, origins })
      }
      yield* checkApi(info, apis.get(info.kind) ?? info.api)
      apis.set(info.kind, info.api)
      byKey.set(info.key, entry)
    }
    return byKey
  })
