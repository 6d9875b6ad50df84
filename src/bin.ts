#!/usr/bin/env node
/**
 * The command `codex`. It runs src/cli/main.ts and gives the shell an exit code:
 *
 *     0    done, or nobody reads the output any more (`codex … | head`)
 *     1    a failure: the data, the disk, a device, a bug
 *     2    a wrong command line, environment or config
 *     130  interrupted with Ctrl-C (SIGINT); a second Ctrl-C quits without waiting
 *     143  ended by SIGTERM
 *
 * Results go to stdout, everything else to stderr. `--debug` anywhere on the line shows causes and stacks.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as ErrorText from "./cli/ErrorText.ts"
import { main } from "./cli/main.ts"
import * as Signals from "./cli/Signals.ts"
import * as StderrLogger from "./cli/StderrLogger.ts"

const words = process.argv.slice(2)
const debug = words.includes("--debug")
const colour = process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb"
const signalled = Signals.listen(process)

main(
  words.filter((word) => word !== "--debug"),
  { colour }
).pipe(
  Effect.raceFirst(Signals.outputClosed(process)),
  Effect.tapErrorCause((cause) =>
    Effect.sync(() => {
      const text = ErrorText.render(cause, { debug })
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
