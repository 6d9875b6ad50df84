/**
 * What handlers share: a config that is composed before the layers that it decides are built, and a run opened for use.
 */
import * as Effect from "effect/Effect"
import type * as Config from "../../core/Config.ts"
import type { RunConfig } from "../../core/RunConfig.ts"
import * as Layers from "../../jobs/Layers.ts"
import * as LoadConfig from "../../jobs/LoadConfig.ts"
import * as Resumable from "../../jobs/Resumable.ts"
import * as TrainedRun from "../../jobs/TrainedRun.ts"
import type { Device } from "../../services/onnx/Protocol.ts"
import { RunStore } from "../../services/RunStore.ts"

/** The layers that a run's config asks for; a device named on the command line wins. */
export const layerOf = (config: Pick<RunConfig, "backend" | "plugins">, device?: Device | "auto") => {
  const { threads } = config.backend
  return Layers.layer({
    backend: { device: device ?? config.backend.device, ...(threads === undefined ? {} : { threads }) },
    plugins: config.plugins
  })
}

/** Composes and checks a config. Only the plugins that it names are needed for that, no device. */
export const load = (composed: Config.Composed) =>
  LoadConfig.decode(composed).pipe(Effect.provide(Layers.registry(LoadConfig.pluginsOf(composed))))

/** The config that a run, named by directory or id or by one of its checkpoints, was made with. */
export const savedConfig = (pathOrId: string) =>
  Effect.gen(function* () {
    const store = yield* RunStore
    const run = yield* store
      .open(pathOrId)
      .pipe(Effect.catchAll((error) => Effect.mapError(store.open(`${pathOrId}/../..`), () => error)))
    return yield* Resumable.configOf(run)
  }).pipe(Effect.provide(Layers.files()))

/** Opens a run for evaluation, generation or export. */
export const open = (pathOrId: string, which: TrainedRun.Which) =>
  TrainedRun.open(pathOrId, which, LoadConfig.decodeSaved)
