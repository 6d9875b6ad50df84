/**
 * What handlers share: the logging settings of a config, and events of the command's session.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Config from "../../core/config/Config.ts"
import { LoggingConfig } from "../../core/config/RunConfig.ts"
import * as Run from "../../jobs/Run.ts"
import * as RunPlan from "../../jobs/RunPlan.ts"
import type { Metadata, Role } from "../../services/logs/SessionEvent.ts"
import { SessionLog } from "../../services/logs/SessionLog.ts"

/** The logging settings of a composed config; that it cannot be composed is for the command to report. */
export const logging = <E, R>(composed: Effect.Effect<Config.Composed, E, R>) =>
  Effect.orElseSucceed(Effect.map(composed, RunPlan.loggingOf), () => Schema.decodeSync(LoggingConfig)({}))

/** The same of the config that a run was made with. */
export const savedLogging = (pathOrId: string) =>
  Effect.orElseSucceed(
    Effect.map(Run.find(pathOrId), ({ config }) => config.logging),
    () => Schema.decodeSync(LoggingConfig)({})
  ).pipe(Effect.provide(Run.layer()))

/** An event of the command's session. A failed write is reported when the session ends. */
export const say = (role: Role, message: string, metadata?: Metadata) =>
  Effect.ignore(Effect.flatMap(SessionLog, (session) => session.log(role, message, metadata)))
