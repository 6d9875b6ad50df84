/**
 * codex logs hook bash | zsh | fish | powershell
 *
 *     $ eval "$(codex logs hook bash)"
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { lazyUnrecorded } from "../Lazy.ts"

const shells = ["bash", "zsh", "fish", "powershell"] as const

/** Shells for which there is a hook. */
export type Shell = (typeof shells)[number]

const shell = Args.choice<Shell>(
  shells.map((name) => [name, name]),
  { name: "shell" }
).pipe(Args.withDescription("The shell that will read the functions."))

export const hook = Command.make(
  "hook",
  { shell },
  lazyUnrecorded(() => import("../handlers/logs-hook.ts"))
).pipe(
  Command.withDescription(
    "Print functions that record a shell's commands, with exit status and duration, as a session. For ~/.bashrc: " +
      'eval "$(codex logs hook bash)"; zsh alike; fish: codex logs hook fish | source; PowerShell: ' +
      "codex logs hook powershell | Out-String | Invoke-Expression. CODEX_SESSION_LOGGING=0 turns it off, CODEX_BIN " +
      "names another codex. " +
      'Example: eval "$(codex logs hook bash)"'
  )
)
