/**
 * A handler in a module of its own, until each command is one file (plugins/list.ts shows how).
 */
import * as Effect from "effect/Effect"
import { inSession, load, outsideSession } from "./Handler.ts"

export const lazy = <A, B, E, R>(module: () => Promise<{ readonly run: (options: A) => Effect.Effect<B, E, R> }>) =>
  inSession((options: A) => Effect.flatMap(load(module), ({ run }) => run(options)))

export const lazyUnrecorded = <A, B, E, R>(
  module: () => Promise<{ readonly run: (options: A) => Effect.Effect<B, E, R> }>
) => outsideSession((options: A) => Effect.flatMap(load(module), ({ run }) => run(options)))
