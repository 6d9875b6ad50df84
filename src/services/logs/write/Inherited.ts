/**
 * The session that a process hands on to those it starts: CODEX_SESSION_ID in its environment, while the session is open.
 *
 * Beside it stands CODEX_SESSION_PID, the process that put it there, so that a program that opens several sessions does not
 * take its own for its parent's. The environment belongs to the process: of several open sessions the last is handed on.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"

const own = String(process.pid)

/** The session to take part in, if somebody else began one. */
export const id = Effect.gen(function* () {
  const owner = yield* Config.option(Config.string("CODEX_SESSION_PID"))
  const found = yield* Config.option(Config.nonEmptyString("CODEX_SESSION_ID"))
  return Option.contains(owner, own) ? Option.none<string>() : found
})

export const during = (session: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = {
        CODEX_SESSION_ID: process.env.CODEX_SESSION_ID,
        CODEX_SESSION_PID: process.env.CODEX_SESSION_PID
      }
      Object.assign(process.env, { CODEX_SESSION_ID: session, CODEX_SESSION_PID: own })
      return before
    }),
    (before) =>
      Effect.sync(() => {
        // A session that was opened later and is still open stays the one that is handed on.
        if (process.env.CODEX_SESSION_ID !== session || process.env.CODEX_SESSION_PID !== own) return
        for (const [name, value] of Object.entries(before))
          if (value === undefined) delete process.env[name]
          else process.env[name] = value
      })
  )
