/**
 * Everything that a job needs, composed once: the Registry of built-in and installed plugins, the stores of runs,
 * checkpoints, tokens and configs, the backend, and Node's platform.
 *
 *     yield* train(…).pipe(Effect.provide(Layers.layer({ backend: { device: "cpu" } })))
 *
 * The backend starts its thread when the layer is built. `files` is the part that starts nothing: enough to read a config
 * or find a run, which say what the rest should be.
 */
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { builtins } from "../plugins/builtins.ts"
import * as OnnxBackend from "../services/backend/OnnxBackend.ts"
import * as ConfigStore from "../services/config/ConfigStore.ts"
import * as PluginLoader from "../services/plugins/PluginLoader.ts"
import * as CheckpointStore from "../services/runs/CheckpointStore.ts"
import * as RunStore from "../services/runs/RunStore.ts"
import * as TokenCache from "../services/runs/TokenCache.ts"

export interface Options {
  /** Device and threads; the default takes the best device that starts. */
  readonly backend?: OnnxBackend.Options
  /** Packages to take plugins from, besides the project's declared dependencies. */
  readonly plugins?: ReadonlyArray<string>
  /** Directory of all runs; default `runs`. */
  readonly runs?: string
}

/** The configs that come with the package. They lie beside `src`, and beside `dist` once built or bundled. */
export const packagedConfigs = (): string => {
  const places = ["../configs", "../../configs"].map((place) => fileURLToPath(new URL(place, import.meta.url)))
  return places.find((place) => existsSync(`${place}/config.yaml`)) ?? places[0] ?? "configs"
}

/** Runs, checkpoints, token cache, config files and Node's platform. Nothing is opened or started. */
export const files = (options: Pick<Options, "runs"> = {}) =>
  Layer.mergeAll(
    RunStore.layer(options.runs),
    CheckpointStore.layer,
    TokenCache.layer(),
    ConfigStore.layer({ workingDirectory: process.cwd(), packagedConfigs: packagedConfigs() })
  ).pipe(Layer.provideMerge(NodeContext.layer))

/** The Registry: built-in plugins, and those of the project's dependencies and of the packages named. */
export const registry = (plugins: ReadonlyArray<string> = []) =>
  Layer.unwrapEffect(
    Effect.map(PluginLoader.discover({ directory: process.cwd(), plugins }), (found) => builtins.layerWith(found))
  ).pipe(Layer.provide(NodeContext.layer))

/** All of it. Fails when a plugin's manifest is wrong, two plugins share a name, or the device does not start. */
export const layer = (options: Options = {}) =>
  Layer.mergeAll(files(options), registry(options.plugins), OnnxBackend.layer(options.backend))
