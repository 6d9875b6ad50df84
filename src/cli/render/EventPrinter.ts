/**
 * Prints events one after the other, as they come: as JSON, NDJSON and CSV, exact, or as text for people.
 *
 * Text is one line per event for searching, or whole messages under a heading for each session and day. Whatever a log contains, only
 * printable text reaches the terminal: control characters become visible (Tokens.ts). The level is colored; times, sessions and
 * metadata are dimmed. Memory use does not depend on the number of events.
 */
import { styleText } from "node:util"
import { stringify } from "csv-stringify/sync"
import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as EventLoop from "../../core/EventLoop.ts"
import type { LogEvent } from "../../services/logs/SessionEvent.ts"
import { visible } from "./Tokens.ts"

/** What is printed before the first event, for each event, and after the last. */
export interface Printer {
  readonly begin: string
  readonly event: (event: LogEvent) => string
  /** `events` is how many were printed. */
  readonly end: (events: number) => string
}

/** The keys of an event in the order of printing. */
const record = ({ ts, time, session_id, role, level, message, metadata }: LogEvent) => ({
  ts,
  time,
  session_id,
  role,
  level,
  message,
  metadata: metadata ?? null
})

/** One JSON object per line. */
export const ndjson = (): Printer => ({
  begin: "",
  event: (event) => `${JSON.stringify(record(event))}\n`,
  end: () => ""
})

/** One array with a line for each event. */
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

/** RFC 4180 with a header. An empty field is null, `""` is an empty text, metadata is JSON. */
export const csv = (): Printer => ({
  begin: csvLine(["ts", "time", "session_id", "role", "level", "message", "metadata"]),
  event: ({ ts, time, session_id, role, level, message, metadata }) =>
    csvLine([ts, time, session_id, role, level, message, metadata === null ? null : JSON.stringify(metadata)]),
  end: () => ""
})

/** One line of CSV. */
export const csvLine = (fields: ReadonlyArray<string | number | null | undefined>): string =>
  stringify([[...fields]], { record_delimiter: "windows", quote_record_delimiter: true, quoted_match: /^$/ })

/** How text is printed. */
export interface Style {
  readonly colour: boolean
}

/**
 * Text, exactly one line per event:
 *
 *     2026-11-24T13:08:34.123Z INFO  user      s1  Hello!↵How are you?
 */
export const lines = (style: Style): Printer => {
  const paint = painter(style)
  return {
    begin: "",
    event: (event) => {
      const time = paint("dim", cell(event.time, 24))
      const session = paint("dim", cell(event.session_id, 0))
      return `${time} ${level(event, paint)} ${cell(event.role, 9)} ${session}  ${inSlices(event.message, visible)}\n`
    },
    end: () => ""
  }
}

/**
 * Text, whole messages:
 *
 *     ── s1 ── 2026-11-24 ──
 *     13:08:34.123Z INFO  user      Hello!
 *                                   How are you?  lang=en
 */
export const blocks = (style: Style): Printer => {
  const paint = painter(style)
  const indent = " ".repeat(30)
  let heading: string | undefined
  return {
    begin: "",
    event: (event) => {
      const [day, clock] = split(event.time)
      const next = `── ${[event.session_id ?? "no session", ...day].map(visible).join(" ── ")} ──`
      const head = next === heading ? "" : `${heading === undefined ? "" : "\n"}${paint("bold", next)}\n`
      heading = next
      const message = inSlices(event.message, (text) => text.split(/\r?\n/).map(visible).join(`\n${indent}`))
      const rest = summary(event.metadata)
      const suffix = rest === "" ? "" : `  ${paint("dim", rest)}`
      return `${head}${paint("dim", cell(clock, 13))} ${level(event, paint)} ${cell(event.role, 9)} ${message}${suffix}\n`
    },
    end: () => ""
  }
}

/** UTF-16 units that are made visible at once, because intermediate results take many times their memory. */
const SLICE = 1 << 16

/** Shows a long text in slices that do not split a character or a line end. */
const inSlices = (text: string, show: (text: string) => string): string => {
  if (text.length <= SLICE) return show(text)
  let [shown, from] = ["", 0]
  while (from < text.length) {
    let to = from + SLICE
    while (/[\ud800-\udbff\r]/.test(text.charAt(to - 1))) to += 1
    shown += show(text.slice(from, to))
    from = to
  }
  return shown
}

type TextStyle = Parameters<typeof styleText>[0]
type Paint = (style: TextStyle, text: string) => string

/** The caller decides about colors, not what stdout happens to be. */
const painter =
  ({ colour }: Style): Paint =>
  (style, text) =>
    colour ? styleText(style, text, { validateStream: false }) : text

const cell = (text: string | null, width: number): string => visible(text ?? "–").padEnd(width)

const level = (event: LogEvent, paint: Paint): string => {
  const text = cell(event.level, 5)
  const style = levelStyles.get(event.level ?? "")
  return style === undefined ? text : paint(style, text)
}

const levelStyles: ReadonlyMap<string, TextStyle> = new Map<string, TextStyle>([
  ["TRACE", "dim"],
  ["DEBUG", "cyan"],
  ["INFO", "green"],
  ["WARN", "yellow"],
  ["ERROR", "red"],
  ["FATAL", ["bold", "red"]]
])

/** The date for the heading, and the time of day. A time that could not be parsed is not split. */
const split = (time: string | null): readonly [day: ReadonlyArray<string>, clock: string | null] => {
  const [, day, clock] = /^(\d{4}-\d\d-\d\d)T(.+)$/.exec(time ?? "") ?? []
  return day === undefined || clock === undefined ? [[], time] : [[day], clock]
}

const maxSummary = 100

/** `status=0 command="npm test"`: the beginning of the metadata; the other formats have all of it. */
const summary = (metadata: unknown): string => {
  if (metadata === null || metadata === undefined) return ""
  const text =
    typeof metadata === "object" && !Array.isArray(metadata)
      ? Object.entries(metadata)
          .map(([key, value]) => `${key}=${short(value)}`)
          .join(" ")
      : short(metadata)
  const letters = [...visible(text.slice(0, 4 * maxSummary))]
  return letters.length > maxSummary ? `${letters.slice(0, maxSummary - 1).join("")}…` : letters.join("")
}

const short = (value: unknown): string =>
  typeof value === "string" && /^[\w.:/@+-]+$/.test(value) ? value : (JSON.stringify(value) ?? "")

/** Writes a text; `events` is how many have been printed with it. */
export type Write<E> = (text: string, events: number) => Effect.Effect<void, E>

/** UTF-16 units of a block; a longer message makes a longer block. */
const BLOCK = 1 << 16

/** Prints a stream in blocks, and returns the number of events. `eager`: writes events at once while it waits for more. */
export const print = <E, R, E2>(
  events: Stream.Stream<LogEvent, E, R>,
  printer: Printer,
  write: Write<E2>,
  { eager = false }: { readonly eager?: boolean } = {}
): Effect.Effect<number, E | E2, R> =>
  Effect.suspend(() => {
    let [pending, count] = [printer.begin, 0]
    const flush = Effect.suspend(() => {
      const text = pending
      pending = ""
      return text === "" ? Effect.void : write(text, count)
    })
    const take = (chunk: Chunk.Chunk<LogEvent>) =>
      Effect.gen(function* () {
        for (const event of chunk) {
          pending += printer.event(event)
          count += 1
          if (pending.length >= BLOCK) yield* flush
        }
        if (eager) yield* flush
      })
    return (eager ? flush : Effect.void).pipe(
      Effect.zipRight(Stream.runForEachChunk(events, take)),
      Effect.zipRight(
        Effect.suspend(() => {
          pending += printer.end(count)
          return flush
        })
      ),
      Effect.map(() => count)
    )
  })

/**
 * Process.ts ends the command when the reader of stdout goes away. Each write takes a turn of the event loop, in which Ctrl-C is
 * noticed: writing to a file or a pipe may be synchronous.
 */
export const toStdout: Write<never> = (text) =>
  Effect.zipLeft(
    Effect.async<void>((resume) => {
      process.stdout.write(text, () => resume(Effect.void))
    }),
    EventLoop.turn
  )
