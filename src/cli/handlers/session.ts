/**
 * What handlers share: a config that is composed before the layers that it decides are built, and a run opened for use.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Config from "../../core/config/Config.ts"
import { LoggingConfig, type RunConfig } from "../../core/config/RunConfig.ts"
import * as Layers from "../../jobs/Environment.ts"
import * as Resumable from "../../jobs/Resumable.ts"
import * as LoadConfig from "../../jobs/RunPlan.ts"
import * as TrainedRun from "../../jobs/SavedRun.ts"
import type { Device } from "../../services/backend/onnx/OnnxProtocol.ts"
import type { Metadata, Role } from "../../services/logs/SessionEvent.ts"
import { SessionLog } from "../../services/logs/SessionLog.ts"
import { RunStore } from "../../services/runs/RunStore.ts"

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

/** What a composed config says of logging; that it cannot be composed is for the command to tell. */
export const logging = <E, R>(composed: Effect.Effect<Config.Composed, E, R>) =>
  Effect.orElseSucceed(Effect.map(composed, LoadConfig.loggingOf), () => Schema.decodeSync(LoggingConfig)({}))

/** The same of the config that a run was made with. */
export const savedLogging = (pathOrId: string) =>
  Effect.orElseSucceed(
    Effect.map(savedConfig(pathOrId), (config) => config.logging),
    () => Schema.decodeSync(LoggingConfig)({})
  )

/** An event of the command's session. That it could not be written is said when the session ends. */
export const say = (role: Role, message: string, metadata?: Metadata) =>
  Effect.ignore(Effect.flatMap(SessionLog, (session) => session.log(role, message, metadata)))

/** Opens a run for evaluation, generation or export. */
export const open = (pathOrId: string, which: TrainedRun.Which) =>
  TrainedRun.open(pathOrId, which, LoadConfig.decodeSaved)
