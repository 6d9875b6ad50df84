/**
 * A line of NDJSON as an event: an object with a key for the message, by any of its usual names; other keys are ignored.
 */
import type { LogEvent } from "../../SessionEvent.ts"
import type { Columns } from "../Log.ts"
import { assign } from "../LogNames.ts"
import { eventOf, metadataOf } from "../LogText.ts"
import { secondsOf } from "../LogTime.ts"

/** Reads lines; undefined for one that is no event. */
export const parser = (given: Columns): ((line: string) => LogEvent | undefined) => {
  // Lines of one program have the same keys.
  let last = ""
  let columns: Columns = {}
  return (line) => {
    const found = objectIn(line)
    if (found === undefined) return undefined
    const keys = Object.keys(found)
    const together = keys.join("\n")
    if (together !== last) {
      last = together
      columns = assign(keys, given)
    }
    const { message } = columns
    if (message === undefined || !(message in found)) return undefined
    const value = (key: string | undefined): unknown => (key === undefined ? undefined : found[key])
    const metadata = value(columns.metadata)
    return eventOf({
      seconds: secondsOf(value(columns.time)),
      time: textOf(value(columns.time)),
      session: textOf(value(columns.session)),
      role: textOf(value(columns.role)),
      message: textOf(found[message]),
      level: textOf(value(columns.level)),
      metadata: typeof metadata === "string" ? metadataOf(metadata) : (metadata ?? null)
    })
  }
}

const objectIn = (line: string): { readonly [key: string]: unknown } | undefined => {
  try {
    const value: unknown = JSON.parse(line)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const textOf = (value: unknown): string | null => {
  if (value === null || value === undefined) return null
  return typeof value === "string" ? value : JSON.stringify(value)
}
