/**
 * A folder for the tests of one file, and the environment of their runs, which is made once: its backend is kept open, so that a run does
 * not wait for a new thread. Both are gone after the tests.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { afterAll } from "vitest"
import { Environment } from "../../src/jobs/Environment.ts"
import * as Run from "../../src/jobs/Run.ts"

/** What a job needs. */
type Context = Effect.Effect.Context<ReturnType<typeof Run.resume>>

export const make = (name: string) => {
  const folder = mkdtempSync(join(tmpdir(), `codex-${name}-`))
  const at = (...names: ReadonlyArray<string>) => join(folder, ...names)
  const device = { device: "cpu", threads: 1 } as const
  const runtime = ManagedRuntime.make(
    Layer.scopedDiscard(Effect.flatMap(Environment, ({ backend }) => backend(device))).pipe(
      Layer.provideMerge(Run.layer({ runs: at("runs"), tokenCache: at("cache"), ...device })),
      Layer.orDie
    )
  )
  afterAll(async () => {
    await runtime.dispose()
    rmSync(folder, { recursive: true, force: true })
  })
  /** Runs a job in the environment, without its warnings. */
  const provided = <A, E>(job: Effect.Effect<A, E, Context>): Effect.Effect<A, E> =>
    Effect.flatMap(runtime.runtimeEffect, (given) => Effect.provide(Effect.scoped(job), given)).pipe(
      Logger.withMinimumLogLevel(LogLevel.Error)
    )
  return { at, provided }
}
