/**
 * The one place that turns a failed command into text for a person and an exit code for a shell.
 *
 * A failure that was foreseen is its message and nothing else: errors compute messages that say what to do. A defect is a bug
 * of codex and says so. Stacks and causes show under `--debug` only. The table of exit codes stands in src/bin.ts.
 */
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as ConfigError from "effect/ConfigError"

/** Errors that the user mends in the command line, the environment or a config file: exit code 2. */
const usageTags: ReadonlySet<string> = new Set([
  "UsageError",
  "ConfigError",
  "PluginConfigError",
  "UnknownPlugin",
  "DuplicatePlugin",
  "ApiMismatch",
  "PluginManifestError",
  "ModelError",
  "TokenizerTrainError",
  "TextSourceError",
  "TrainConfigError",
  "OtherConfig"
])

/** Errors of which only some reasons are mended there: by tag, those reasons. */
const usageReasons: ReadonlyMap<string, ReadonlySet<string>> = new Map([["LogReadError", new Set(["Option"])]])

/** 1 failure, 2 usage and config, 130 interruption. */
export const exitCode = (cause: Cause.Cause<unknown>): number => {
  const failures = Chunk.toReadonlyArray(Cause.failures(cause))
  if (failures.some((error) => tagOf(error) === "QuitException")) return 130
  if (failures.length > 0) return failures.every(isUsage) ? 2 : 1
  return Cause.isInterruptedOnly(cause) ? 130 : 1
}

/** What stderr shows, without a final newline; empty where there is nothing to say (an interruption). */
export const render = (cause: Cause.Cause<unknown>, { debug }: { readonly debug: boolean }): string => {
  const trace = debug ? `\n${Cause.pretty(cause, { renderErrorCause: true })}` : ""
  const failures = Chunk.toReadonlyArray(Cause.failures(cause)).filter((error) => tagOf(error) !== "QuitException")
  if (failures.length > 0) return [...new Set(failures.map(describe))].join("\n") + trace
  const [defect] = Chunk.toReadonlyArray(Cause.defects(cause))
  if (defect === undefined) return ""
  const hint = debug ? "" : " Run it again with --debug for a trace."
  return `internal error: ${describe(defect)}\nThis is a bug in codex; please report it.${hint}${trace}`
}

const isUsage = (error: unknown): boolean =>
  ConfigError.isConfigError(error) ||
  usageTags.has(tagOf(error)) ||
  usageTags.has(tagOf(initCause(error))) ||
  usageReasons.get(tagOf(error))?.has(reasonOf(error)) === true

/** Why a plugin did not start: what it said of its config is mended there. */
const initCause = (error: unknown): unknown =>
  tagOf(error) === "PluginInitError" && error instanceof Error ? error.cause : undefined

const isOwn = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "origin" in error && error.origin === "codex"

const tagOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string" ? error._tag : ""

const reasonOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "reason" in error ? String(error.reason) : ""

const describe = (error: unknown): string => {
  if (ConfigError.isConfigError(error)) return String(error)
  // That a plugin of codex's own did not start is no news; what kept it from starting says where and what to do.
  const cause = initCause(error)
  if (tagOf(cause) !== "" && isOwn(error)) return describe(cause)
  if (error instanceof Error && error.message !== "") return error.message
  return tagOf(error) || String(error)
}
