/**
 * codex logs hook bash | zsh | fish | powershell
 *
 *     $ eval "$(codex logs hook bash)"
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { load, outsideSession } from "../Handler.ts"

const shells = ["bash", "zsh", "fish", "powershell"] as const
type Shell = (typeof shells)[number]

const shell = Args.choice<Shell>(
  shells.map((name) => [name, name]),
  { name: "shell" }
).pipe(Args.withDescription("The shell that will read the functions."))

export const hook = Command.make(
  "hook",
  { shell },
  outsideSession(({ shell }) => Effect.flatMap(scripts[shell], Console.log))
).pipe(
  Command.withDescription(
    "Print functions that record the commands of a shell, with exit status and duration, as a session. For ~/.bashrc: " +
      'eval "$(codex logs hook bash)"; the same for zsh; fish: codex logs hook fish | source; PowerShell: ' +
      "codex logs hook powershell | Out-String | Invoke-Expression. CODEX_SESSION_LOGGING=0 turns recording off, " +
      "CODEX_BIN names another codex. " +
      'Example: eval "$(codex logs hook bash)"'
  )
)

const scripts: Readonly<Record<Shell, Effect.Effect<string>>> = {
  bash: Effect.map(
    load(() => import("./hooks/bash.ts")),
    ({ bash }) => bash
  ),
  zsh: Effect.map(
    load(() => import("./hooks/zsh.ts")),
    ({ zsh }) => zsh
  ),
  fish: Effect.map(
    load(() => import("./hooks/fish.ts")),
    ({ fish }) => fish
  ),
  powershell: Effect.map(
    load(() => import("./hooks/powershell.ts")),
    ({ powershell }) => powershell
  )
}
