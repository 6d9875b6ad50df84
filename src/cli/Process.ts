/**
 * Runs an Effect as the process: errors to stderr through ErrorText, an exit code, signals, a reader that goes away.
 *
 * src/bin.ts gives it the command; a script of one's own may give it anything, and behaves as the command does.
 */
import type * as CliApp from "@effect/cli/CliApp"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as ErrorText from "./ErrorText.ts"
import * as Signals from "./Signals.ts"
import * as StderrLogger from "./StderrLogger.ts"

/** Whether escape sequences for colours are welcome on stdout: a terminal, and no NO_COLOR (https://no-color.org). */
export const colour = (target: NodeJS.Process): boolean =>
  target.stdout.isTTY === true && !target.env.NO_COLOR && target.env.TERM !== "dumb"

export const run = <A, E>(
  program: Effect.Effect<A, E, CliApp.CliApp.Environment | NodeContext.NodeContext>,
  options: { readonly debug: boolean }
): void => {
  const signalled = Signals.listen(process)
  program.pipe(
    Effect.zipLeft(Signals.outputSettled),
    Effect.raceFirst(Signals.outputClosed(process)),
    Effect.tapErrorCause((cause) =>
      Effect.sync(() => {
        const text = ErrorText.render(cause, options)
        if (text !== "") process.stderr.write(`${text}\n`)
      })
    ),
    Effect.provide([NodeContext.layer, StderrLogger.layer(process.stderr)]),
    NodeRuntime.runMain({
      disableErrorReporting: true,
      disablePrettyLogger: true,
      teardown: (exit, onExit) => onExit(signalled() ?? (Exit.isFailure(exit) ? ErrorText.exitCode(exit.cause) : 0))
    })
  )
}
