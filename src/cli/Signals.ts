/**
 * Ctrl-C and the shell's other ways of ending a command.
 *
 * `NodeRuntime.runMain` interrupts the main fiber on the first SIGINT or SIGTERM and waits for its finalizers. This module
 * remembers which one it was, for the exit code, and lets a second one quit at once. `npx` forwards a Ctrl-C that the terminal
 * has already sent, so a repetition counts only after a moment. A reader that goes away (`codex … | head`) is no failure.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** Results that did not arrive: the disk that stdout is written to is full, or gone. */
export class OutputError extends Schema.TaggedError<OutputError>()("OutputError", { cause: Schema.Defect }) {
  override get message() {
    const reason = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `stdout: the result could not be written: ${reason}. Check the space where it goes.`
  }
}

const codes = { SIGINT: 130, SIGTERM: 143 } as const

/** Repetitions within this time are the same key press. */
const samePressMillis = 500

/** Starts to listen; the result gives the exit code of the signal that came, if one did. */
export const listen = (target: NodeJS.Process): (() => number | undefined) => {
  let first: { readonly code: number; readonly at: number } | undefined
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    target.on(signal, () => {
      if (first === undefined) first = { code: codes[signal], at: performance.now() }
      else if (performance.now() - first.at > samePressMillis) target.exit(first.code)
    })
  return () => first?.code
}

/** Succeeds when nobody reads stdout any more; errors of stderr have no reader at all and are dropped. */
export const outputClosed = (target: NodeJS.Process): Effect.Effect<void, OutputError> =>
  Effect.async((resume) => {
    const ignore = () => {}
    const closed = (error: NodeJS.ErrnoException) =>
      resume(error.code === "EPIPE" ? Effect.void : new OutputError({ cause: error }))
    target.stdout.once("error", closed).on("error", ignore)
    target.stderr.on("error", ignore)
  })

/** Lets streams tell of writes that failed, which they do a moment later. */
export const outputSettled: Effect.Effect<void> = Effect.async((resume) => {
  setImmediate(() => resume(Effect.void))
})
