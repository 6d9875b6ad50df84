/**
 * What a job needs around it: files, runs, checkpoints, token cache, configs, plugins and a backend.
 *
 *     program.pipe(Effect.scoped, Effect.provide(Run.layer({ threads: 2 })))
 *
 * The layer starts nothing. A registry is built when the first config is checked, a backend when the first Program is compiled;
 * each is shared by all that need the same one, and released when the last of them has finished.
 *
 * Device, threads and precision follow one rule everywhere: options of the layer (or of the command line), then `CODEX_DEVICE`,
 * `CODEX_THREADS` and `CODEX_PRECISION`, then the config of the run, then the defaults of its schema.
 */
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as CommandExecutor from "@effect/platform/CommandExecutor"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Terminal from "@effect/platform/Terminal"
import * as Worker from "@effect/platform/Worker"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Arr from "effect/Array"
import * as EffectConfig from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RcMap from "effect/RcMap"
import type * as Scope from "effect/Scope"
import type { Backend, BackendError } from "../core/Backend.ts"
import * as Node from "../core/config/ConfigNode.ts"
import * as Override from "../core/config/ConfigOverride.ts"
import { ConfigSource } from "../core/config/ConfigSource.ts"
import type { BackendConfig } from "../core/config/RunConfig.ts"
import { TokenCache } from "../core/data/TokenFile.ts"
import type { ApiMismatch, DuplicatePlugin } from "../core/plugin/PluginError.ts"
import { type Discovered, Registry } from "../core/plugin/Registry.ts"
import { CheckpointStore } from "../core/training/Checkpoint.ts"
import { builtins } from "../plugins/builtins.ts"
import * as OnnxBackend from "../services/backend/OnnxBackend.ts"
import * as ConfigStore from "../services/config/ConfigStore.ts"
import * as PluginLoader from "../services/plugins/PluginLoader.ts"
import * as CheckpointStoreLive from "../services/runs/CheckpointStore.ts"
import { RunStore } from "../services/runs/RunStore.ts"
import * as TokenCacheLive from "../services/runs/TokenCache.ts"

/** A plugin group whose plugins need nothing but Node's platform: what `PluginGroup.make` and `builtins.add` return. */
export interface AnyPluginGroup {
  readonly layerWith: (
    discovered: ReadonlyArray<Discovered>
  ) => Layer.Layer<Registry, DuplicatePlugin | ApiMismatch, NodeContext.NodeContext>
}

/** Options of `Run.layer`. Each overrides the environment, which overrides the config. */
export interface Options {
  /** Where to compute. `auto` takes the best device that starts. Default: `cpu`, or `wasm` where onnxruntime-node is missing. */
  readonly device?: BackendConfig["device"] | undefined
  /** Threads that one operator may use. Results do not depend on it. */
  readonly threads?: number | undefined
  /** What matrix products compute in: `float16` is faster on graphics cards that have it. Default: `float32`. */
  readonly precision?: BackendConfig["precision"]
  /** Packages to take plugins from, besides the project's dependencies and the config's `plugins` list. */
  readonly plugins?: ReadonlyArray<string>
  /** The plugins of this program. Default: the built-in ones. Your own: `builtins.add(MyModel)`. */
  readonly group?: AnyPluginGroup
  /** Directory of all runs. Default: `runs`. */
  readonly runs?: string
  /** Directory of the token cache. Default: `.codex/cache/tokens`. */
  readonly tokenCache?: string
}

/** Services that only read and write files. */
export type Files = RunStore | CheckpointStore | TokenCache | ConfigSource | NodeContext.NodeContext

/** A registry that cannot be built: a wrong manifest, two plugins of one name, or a plugin of another API version. */
export type RegistryError = PluginLoader.PluginManifestError | DuplicatePlugin | ApiMismatch

/** Everything around a job. Made by `Run.layer`. */
export class Environment extends Context.Tag("codex/Environment")<Environment, Environment.Service>() {
  /** Everything, as `Run.layer`. The backend starts when it is first needed. */
  static layer(options: Options = {}): Layer.Layer<Environment | Files> {
    return layer(options)
  }

  /** Runs, checkpoints, token cache, config files and Node's platform: what starts nothing. */
  static files(options: Pick<Options, "runs" | "tokenCache"> = {}): Layer.Layer<Files> {
    return files(options)
  }

  /** The registry of a group, of the project's dependencies and of the packages that are named. */
  static registry(
    packages: ReadonlyArray<string> = [],
    group: AnyPluginGroup = builtins
  ): Layer.Layer<Registry, RegistryError> {
    return registry(packages, group)
  }
}

export declare namespace Environment {
  interface Service {
    readonly files: Context.Context<Files>
    /** The registry with the plugins of these packages, besides those of the layer. */
    readonly registry: (packages: ReadonlyArray<string>) => Effect.Effect<Registry.Service, RegistryError, Scope.Scope>
    /** The backend of a config section to which `withDevice` was applied. */
    readonly backend: (config: BackendConfig) => Effect.Effect<Backend.Service, BackendError, Scope.Scope>
    /** A config with the device and the threads that the rule gives. */
    readonly withDevice: (root: Node.MapNode) => Effect.Effect<Node.MapNode>
  }
}

/** The configs that come with the package. They are next to `src`, and next to `dist` once built. */
export const packagedConfigs = (): string => {
  const place = (path: string) => fileURLToPath(new URL(path, import.meta.url))
  return existsSync(place("../configs/config.yaml")) ? place("../configs") : place("../../configs")
}

/** Runs, checkpoints, token cache, config files and Node's platform. Nothing is opened or started. */
const files = (options: Pick<Options, "runs" | "tokenCache"> = {}): Layer.Layer<Files> =>
  Layer.mergeAll(
    RunStore.layer(options.runs),
    CheckpointStoreLive.layer,
    TokenCacheLive.layer(options.tokenCache === undefined ? {} : { directory: options.tokenCache }),
    ConfigStore.layer({ workingDirectory: process.cwd(), packagedConfigs: packagedConfigs() })
  ).pipe(Layer.provideMerge(NodeContext.layer))

/** The registry of a group, of the project's dependencies and of the packages that are named. */
const registry = (
  packages: ReadonlyArray<string> = [],
  group: AnyPluginGroup = builtins
): Layer.Layer<Registry, RegistryError> =>
  Layer.unwrapEffect(
    Effect.map(PluginLoader.discover({ directory: process.cwd(), plugins: packages }), (found) =>
      group.layerWith(found)
    )
  ).pipe(Layer.provide(NodeContext.layer))

/** All of it; see the header. */
export const layer = (options: Options = {}): Layer.Layer<Environment | Files> =>
  Layer.scoped(Environment, make(options)).pipe(Layer.provideMerge(files(options)))

const make = (options: Options): Effect.Effect<Environment.Service, never, Files | Scope.Scope> =>
  Effect.gen(function* () {
    const registries = yield* RcMap.make({
      lookup: (packages: ReadonlyArray<string>) =>
        Effect.map(Layer.build(registry(packages, options.group)), Context.get(Registry))
    })
    const backends = yield* RcMap.make({ lookup: startBackend })
    return {
      files: pickFiles(yield* Effect.context<Files>()),
      registry: (packages) => RcMap.get(registries, Data.array(Arr.dedupe([...(options.plugins ?? []), ...packages]))),
      backend: (config) => RcMap.get(backends, Data.struct(config)),
      withDevice: (root) => Effect.orDie(withDevice(root, options))
    }
  })

/** These services alone: a whole context would also replace the scope, the span and the like of whoever uses it. */
const pickFiles = Context.pick(
  RunStore,
  CheckpointStore,
  TokenCache,
  ConfigSource,
  FileSystem.FileSystem,
  Path.Path,
  CommandExecutor.CommandExecutor,
  Terminal.Terminal,
  Worker.WorkerManager
)

const startBackend = ({ device, precision, threads }: BackendConfig) =>
  OnnxBackend.make({ device, precision, ...(threads === undefined ? {} : { threads }) })

/** A value of the command line stays: it is as explicit as an option. */
const withDevice = (root: Node.MapNode, options: Options) =>
  Effect.gen(function* () {
    let result = root
    for (const key of ["device", "threads", "precision"] as const) {
      const path = ["backend", key]
      const variable = `CODEX_${key.toUpperCase()}`
      const option = options[key]
      const text = yield* EffectConfig.option(EffectConfig.string(variable))
      if (option !== undefined) result = Node.insert(result, path, Node.scalar(option, `the option ${key}`))
      else if (Option.isSome(text) && Node.get(root, path)?.origin !== Override.commandLine) {
        const value = /^\d+$/.test(text.value) ? Number(text.value) : text.value
        result = Node.insert(result, path, Node.scalar(value, variable))
      }
    }
    return result
  })
