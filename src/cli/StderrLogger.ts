/**
 * Log lines of a command, on stderr: `warning: …`, and bare text for information. stdout belongs to the command's result.
 *
 * On a terminal each line first clears the progress line it would otherwise run into; that line is drawn again at its next step.
 */
import * as Cause from "effect/Cause"
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"

export interface Output {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

const clearLine = "\r\u001b[2K"

export const make = (output: Output): Logger.Logger<unknown, void> =>
  Logger.make(({ logLevel, message, cause }) => {
    const words = (Array.isArray(message) ? message : [message]).map((part: unknown) =>
      typeof part === "string" ? part : part instanceof Error ? part.message : JSON.stringify(part)
    )
    const reasons = Cause.isEmpty(cause) ? [] : Cause.prettyErrors(cause).map((error) => error.message)
    const label = LogLevel.Info === logLevel ? "" : `${names[logLevel._tag]}: `
    output.write(`${output.isTTY === true ? clearLine : ""}${label}${[...words, ...reasons].join(" ")}\n`)
  })

/** Replaces Effect's default logger, which writes to stdout. */
export const layer = (output: Output): Layer.Layer<never> => Logger.replace(Logger.defaultLogger, make(output))

const names: Record<LogLevel.LogLevel["_tag"], string> = {
  All: "all",
  Fatal: "fatal",
  Error: "error",
  Warning: "warning",
  Info: "info",
  Debug: "debug",
  Trace: "trace",
  None: "none"
}
