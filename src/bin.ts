#!/usr/bin/env node
/**
 * The command `codex`. It runs src/cli/main.ts and ends with an exit code:
 *
 *     0    success, or the reader of the output is gone (`codex … | head`)
 *     1    a failure: the data, the disk, a device, a bug
 *     2    a wrong command line, environment or config
 *     130  interrupted with Ctrl-C (SIGINT); a second Ctrl-C quits without waiting
 *     129  the terminal was closed (SIGHUP)
 *     131  ended by SIGQUIT
 *     143  ended by SIGTERM
 *
 * Results go to stdout, everything else to stderr. `--debug` anywhere on the line adds causes and stacks to errors.
 */
import { main } from "./cli/main.ts"
import * as Process from "./cli/Process.ts"

const words = process.argv.slice(2)

Process.run(
  main(
    words.filter((word) => word !== "--debug"),
    { colour: Process.colour(process) }
  ),
  { debug: words.includes("--debug") }
)
