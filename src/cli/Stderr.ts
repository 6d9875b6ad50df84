/**
 * What a command writes to stderr besides progress: log lines while it runs, and the error that ended it.
 *
 * stdout belongs to the command's result. A failure that was foreseen is its message and nothing else: errors compute messages
 * that say what to do. A defect is a bug of codex, or of a plugin's package, and the text says so. Stacks and causes show under `--debug` only.
 */
import * as Terminal from "@effect/platform/Terminal"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as ConfigError from "effect/ConfigError"
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Predicate from "effect/Predicate"

/** A stream for people: `process.stderr`, or a recording of it in tests. */
export interface Output {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** On a terminal, goes to the start of the line and erases it. */
export const clearLine = "\r\u001b[2K"

/**
 * Writes `warning: …`, `error: …`, and bare text for information. On a terminal each line first clears the progress line it
 * would otherwise run into; that line is drawn again at its next step.
 */
export const logger = (output: Output): Logger.Logger<unknown, void> =>
  Logger.make(({ logLevel, message, cause }) => {
    const words = (Array.isArray(message) ? message : [message]).map((part: unknown) =>
      typeof part === "string" ? part : part instanceof Error ? part.message : JSON.stringify(part)
    )
    const reasons = Cause.isEmpty(cause) ? [] : Cause.prettyErrors(cause).map((error) => error.message)
    const label = LogLevel.Info === logLevel ? "" : `${logLevel._tag.toLowerCase()}: `
    output.write(`${output.isTTY === true ? clearLine : ""}${label}${[...words, ...reasons].join(" ")}\n`)
  })

/** Replaces Effect's default logger, which writes to stdout. */
export const loggerLayer = (output: Output): Layer.Layer<never> => Logger.replace(Logger.defaultLogger, logger(output))

/** The text of a failure, without a final newline; empty where there is nothing to say (an interruption). */
export const errorText = (cause: Cause.Cause<unknown>, { debug }: { readonly debug: boolean }): string => {
  const trace = debug ? `\n${Cause.pretty(cause, { renderErrorCause: true })}` : ""
  const failures = Chunk.toReadonlyArray(Cause.failures(cause)).filter((error) => !Terminal.isQuitException(error))
  if (failures.length > 0) return [...new Set(failures.map(describe))].join("\n") + trace
  const [defect] = Chunk.toReadonlyArray(Cause.defects(cause))
  if (defect === undefined) return ""
  const hint = debug ? "" : " Run it again with --debug for a trace."
  // The code of another package, which the message names.
  if (Predicate.isTagged(defect, "PluginFault")) return `${describe(defect)}${hint}${trace}`
  return `internal error: ${describe(defect)}\nThis is a bug in codex; please report it.${hint}${trace}`
}

const describe = (error: unknown): string => {
  if (ConfigError.isConfigError(error)) return String(error)
  const cause = initCause(error)
  if (hasTag(cause)) return describe(cause)
  if (error instanceof Error && error.message !== "") return error.message
  return hasTag(error) ? error._tag : String(error)
}

/** A plugin of codex did not start: the error that stopped it says where and what to do. (The class is not loaded here.) */
const initCause = (error: unknown): unknown =>
  Predicate.isTagged(error, "PluginInitError") &&
  Predicate.hasProperty(error, "cause") &&
  Predicate.hasProperty(error, "origin") &&
  error.origin === "codex"
    ? error.cause
    : undefined

const hasTag = (error: unknown): error is { readonly _tag: string } =>
  Predicate.hasProperty(error, "_tag") && Predicate.isString(error._tag)
