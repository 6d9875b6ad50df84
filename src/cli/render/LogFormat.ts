/**
 * Events as JSON, as NDJSON and as CSV: exact, one after the other, so that any number of them can be written as they come.
 *
 * A printer makes what stands before the first event, each event, and what stands after the last. Text for people is in
 * LogText.ts.
 */
import { stringify } from "csv-stringify/sync"
import type { LogEvent } from "../../services/logs/SessionEvent.ts"

export interface Printer {
  readonly begin: string
  readonly event: (event: LogEvent) => string
  /** `events` have been printed. */
  readonly end: (events: number) => string
}

/** The keys of an event, in the order in which they are printed. */
const record = ({ ts, time, session_id, role, level, message, metadata }: LogEvent) => ({
  ts,
  time,
  session_id,
  role,
  level,
  message,
  metadata: metadata ?? null
})

export const ndjson = (): Printer => ({
  begin: "",
  event: (event) => `${JSON.stringify(record(event))}\n`,
  end: () => ""
})

/** One array, with a line for each event; `[]` where there is none. */
export const json = (): Printer => {
  let before = "[\n"
  return {
    begin: "",
    event: (event) => {
      const text = before + JSON.stringify(record(event))
      before = ",\n"
      return text
    },
    end: (events) => (events === 0 ? "[]\n" : "\n]\n")
  }
}

/** RFC 4180 with a header. An empty field is null, `""` is an empty text; metadata is JSON. */
export const csv = (): Printer => ({
  begin: csvLine(["ts", "time", "session_id", "role", "level", "message", "metadata"]),
  event: ({ ts, time, session_id, role, level, message, metadata }) =>
    csvLine([ts, time, session_id, role, level, message, metadata === null ? null : JSON.stringify(metadata)]),
  end: () => ""
})

export const csvLine = (fields: ReadonlyArray<string | number | null | undefined>): string =>
  stringify([[...fields]], { record_delimiter: "windows", quote_record_delimiter: true, quoted_match: /^$/ })
