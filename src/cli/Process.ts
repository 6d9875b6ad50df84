/**
 * Runs an Effect as the process: errors to stderr, an exit code, signals, a reader that closes the pipe.
 *
 * src/bin.ts gives it the command; a script may give it any Effect, and behaves as the command does.
 *
 * `NodeRuntime.runMain` interrupts the main fiber on the first SIGINT or SIGTERM and waits for its finalizers. This module does
 * the same for the other signals that ask a process to end: SIGHUP (the terminal is closed), SIGQUIT and, on Windows, SIGBREAK.
 * It remembers which signal it was, for the exit code, and lets a second one quit at once. `npx` forwards a Ctrl-C that the
 * terminal has already sent, so a repetition counts only after a moment.
 */
import type * as CliApp from "@effect/cli/CliApp"
import * as Terminal from "@effect/platform/Terminal"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as EventLoop from "../core/EventLoop.ts"
import * as ExitCode from "../core/ExitCode.ts"
import * as Stderr from "./Stderr.ts"

/** Results that did not arrive: the disk that stdout is written to is full, or gone. */
export class OutputError extends Schema.TaggedError<OutputError>()("OutputError", { cause: Schema.Defect }) {
  override get message() {
    const reason = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `stdout: the result could not be written: ${reason}. Check the free space where it is written.`
  }
}

/** Whether escape sequences for colours are welcome on stdout: a terminal, and no NO_COLOR (https://no-color.org). */
export const colour = (target: NodeJS.Process): boolean =>
  target.stdout.isTTY === true && !target.env.NO_COLOR && target.env.TERM !== "dumb"

/** Runs the program with Node's platform; the process ends with it. `debug` shows causes and stacks of errors. */
export const run = <A, E>(
  program: Effect.Effect<A, E, CliApp.CliApp.Environment | NodeContext.NodeContext>,
  options: { readonly debug: boolean }
): void => {
  const signalCode = listen(process)
  program.pipe(
    Effect.zipLeft(outputSettled),
    Effect.raceFirst(Effect.raceFirst(outputClosed(process), askedToEnd(process))),
    Effect.tapErrorCause((cause) =>
      Effect.sync(() => {
        const text = Stderr.errorText(cause, options)
        if (text !== "") process.stderr.write(`${text}\n`)
      })
    ),
    Effect.provide([NodeContext.layer, Stderr.loggerLayer(process.stderr)]),
    NodeRuntime.runMain({
      disableErrorReporting: true,
      disablePrettyLogger: true,
      teardown: (exit, onExit) => {
        const code = signalCode()
        if (code === signalCodes.SIGHUP) endWithoutTerminal(process)
        onExit(code ?? (Exit.isFailure(exit) ? exitCode(exit.cause) : 0))
      }
    })
  )
}

/** 130 for an interruption; for failures the code that all of them ask for (ExitCode.ts), 1 where they differ. */
export const exitCode = (cause: Cause.Cause<unknown>): number => {
  const failures = Chunk.toReadonlyArray(Cause.failures(cause))
  if (failures.some(Terminal.isQuitException)) return 130
  const codes = new Set(failures.map(ExitCode.of))
  const [code = ExitCode.failure] = codes
  if (codes.size > 0) return codes.size === 1 ? code : ExitCode.failure
  return Cause.isInterruptedOnly(cause) ? 130 : ExitCode.failure
}

/** 128 and the number of the signal, as shells report it. */
const signalCodes = { SIGHUP: 129, SIGINT: 130, SIGQUIT: 131, SIGTERM: 143, SIGBREAK: 149 } as const

/** Repetitions within this time are the same key press. */
const samePressMillis = 500

/** Listens for signals; the result gives the exit code of the one that came, if one did. */
const listen = (target: NodeJS.Process): (() => number | undefined) => {
  let first: { readonly code: number; readonly at: number } | undefined
  for (const [signal, code] of Object.entries(signalCodes))
    target.on(signal, () => {
      if (first === undefined) first = { code, at: performance.now() }
      else if (performance.now() - first.at > samePressMillis) target.exit(first.code)
    })
  return () => first?.code
}

/** Node aborts at its exit (a core dump) when it cannot reset a terminal that is gone. The signal itself ends the process properly. */
const endWithoutTerminal = (target: NodeJS.Process): void => {
  if (!target.stdout.isTTY && !target.stderr.isTTY) return
  target.removeAllListeners("SIGHUP")
  target.kill(target.pid, "SIGHUP")
}

/** Interrupts on the signals that `runMain` does not listen for. */
const askedToEnd = (target: NodeJS.Process): Effect.Effect<never> =>
  Effect.async((resume) => {
    for (const signal of ["SIGHUP", "SIGQUIT", "SIGBREAK"] as const) target.once(signal, () => resume(Effect.interrupt))
  })

/**
 * Succeeds when the reader of stdout is gone (`codex … | head`, or a terminal that was closed), which is not a failure. Errors
 * of stderr are dropped.
 */
const outputClosed = (target: NodeJS.Process): Effect.Effect<void, OutputError> =>
  Effect.async((resume) => {
    const ignore = () => {}
    const closed = (error: NodeJS.ErrnoException) => {
      const isGone = error.code === "EPIPE" || (error.code === "EIO" && target.stdout.isTTY)
      resume(isGone ? Effect.void : new OutputError({ cause: error }))
    }
    target.stdout.once("error", closed).on("error", ignore)
    target.stderr.on("error", ignore)
  })

/** Streams report a failed write a moment later; waits for that moment. */
const outputSettled: Effect.Effect<void> = EventLoop.turn
