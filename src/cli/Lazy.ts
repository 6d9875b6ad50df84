/**
 * A handler in a module of its own, until each command is one file (plugins/list.ts shows how).
 */
import * as Effect from "effect/Effect"
import type { LoggingConfig } from "../core/config/RunConfig.ts"
import { inPreparedSession, inSession, load, outsideSession } from "./Handler.ts"

export const lazy = <A, B, E, R>(module: () => Promise<{ readonly run: (options: A) => Effect.Effect<B, E, R> }>) =>
  inSession((options: A) => Effect.flatMap(load(module), ({ run }) => run(options)))

export const lazyPrepared = <A, B, E, R, R2>(
  module: () => Promise<{
    readonly run: (options: A) => Effect.Effect<B, E, R>
    readonly logging: (options: A) => Effect.Effect<LoggingConfig, never, R2>
  }>
) =>
  inPreparedSession(
    (options: A) =>
      Effect.flatMap(load(module), ({ logging }) => Effect.map(logging(options), (logging) => ({ logging }))),
    (_, options) => Effect.flatMap(load(module), ({ run }) => run(options))
  )

export const lazyUnrecorded = <A, B, E, R>(
  module: () => Promise<{ readonly run: (options: A) => Effect.Effect<B, E, R> }>
) => outsideSession((options: A) => Effect.flatMap(load(module), ({ run }) => run(options)))
