/**
 * The one place that turns a failed command into text for a person and an exit code for a shell.
 *
 * A failure that was foreseen is its message and nothing else: errors compute messages that say what to do. A defect is a bug
 * of codex and says so. Stacks and causes show under `--debug` only. The table of exit codes stands in src/bin.ts.
 */
import * as Terminal from "@effect/platform/Terminal"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as ConfigError from "effect/ConfigError"
import * as Predicate from "effect/Predicate"
import * as ExitCode from "../core/ExitCode.ts"
import { PluginInitError } from "../core/plugin/PluginError.ts"

/** 130 for an interruption; for failures the code that all of them ask for (ExitCode.ts), 1 where they differ. */
export const exitCode = (cause: Cause.Cause<unknown>): number => {
  const failures = Chunk.toReadonlyArray(Cause.failures(cause))
  if (failures.some(Terminal.isQuitException)) return 130
  const codes = new Set(failures.map(ExitCode.of))
  const [code = ExitCode.failure] = codes
  if (codes.size > 0) return codes.size === 1 ? code : ExitCode.failure
  return Cause.isInterruptedOnly(cause) ? 130 : ExitCode.failure
}

/** What stderr shows, without a final newline; empty where there is nothing to say (an interruption). */
export const render = (cause: Cause.Cause<unknown>, { debug }: { readonly debug: boolean }): string => {
  const trace = debug ? `\n${Cause.pretty(cause, { renderErrorCause: true })}` : ""
  const failures = Chunk.toReadonlyArray(Cause.failures(cause)).filter((error) => !Terminal.isQuitException(error))
  if (failures.length > 0) return [...new Set(failures.map(describe))].join("\n") + trace
  const [defect] = Chunk.toReadonlyArray(Cause.defects(cause))
  if (defect === undefined) return ""
  const hint = debug ? "" : " Run it again with --debug for a trace."
  return `internal error: ${describe(defect)}\nThis is a bug in codex; please report it.${hint}${trace}`
}

const describe = (error: unknown): string => {
  if (ConfigError.isConfigError(error)) return String(error)
  // That a plugin of codex did not start is no news; the error that stopped it says where and what to do.
  if (error instanceof PluginInitError && error.origin === "codex" && isTyped(error.cause)) return describe(error.cause)
  if (error instanceof Error && error.message !== "") return error.message
  return isTyped(error) ? error._tag : String(error)
}

const isTyped = (error: unknown): error is { readonly _tag: string } =>
  Predicate.hasProperty(error, "_tag") && Predicate.isString(error._tag)
