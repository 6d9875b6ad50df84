/**
 * Events as text for people: one line each to search in, or whole messages below a heading for each session and day.
 *
 * Whatever a log holds, nothing but text reaches the terminal: control characters are written out (Tokens.ts). Colours are the
 * level's own; times, sessions and metadata step back.
 */
import { styleText } from "node:util"
import type { LogEvent } from "../../services/logs/SessionEvent.ts"
import type { Printer } from "./LogFormat.ts"
import { visible } from "./Tokens.ts"

export interface Style {
  readonly colour: boolean
}

/**
 * Exactly one line for each event:
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
 * For reading:
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
      const behind = rest === "" ? "" : `  ${paint("dim", rest)}`
      return `${head}${paint("dim", cell(clock, 13))} ${level(event, paint)} ${cell(event.role, 9)} ${message}${behind}\n`
    },
    end: () => ""
  }
}

/** UTF-16 units that are shown at once: what is made on the way takes many times their memory. */
const SLICE = 1 << 16

/** Shows a long text piece by piece; none begins inside of a character or of a line's end. */
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

type Look = Parameters<typeof styleText>[0]
type Paint = (look: Look, text: string) => string

/** Whether colours are welcome is decided by the caller, not by what stdout happens to be. */
const painter =
  ({ colour }: Style): Paint =>
  (look, text) =>
    colour ? styleText(look, text, { validateStream: false }) : text

const cell = (text: string | null, width: number): string => visible(text ?? "–").padEnd(width)

const level = (event: LogEvent, paint: Paint): string => {
  const text = cell(event.level, 5)
  const look = looks.get(event.level ?? "")
  return look === undefined ? text : paint(look, text)
}

const looks: ReadonlyMap<string, Look> = new Map<string, Look>([
  ["TRACE", "dim"],
  ["DEBUG", "cyan"],
  ["INFO", "green"],
  ["WARN", "yellow"],
  ["ERROR", "red"],
  ["FATAL", ["bold", "red"]]
])

/** The date for the heading and the time of day; a time that is not understood stays whole. */
const split = (time: string | null): readonly [day: ReadonlyArray<string>, clock: string | null] => {
  const [, day, clock] = /^(\d{4}-\d\d-\d\d)T(.+)$/.exec(time ?? "") ?? []
  return day === undefined || clock === undefined ? [[], time] : [[day], clock]
}

const longest = 100

/** `status=0 command="npm test"`: a hint of what there is; JSON has all of it. */
const summary = (metadata: unknown): string => {
  if (metadata === null || metadata === undefined) return ""
  const text =
    typeof metadata === "object" && !Array.isArray(metadata)
      ? Object.entries(metadata)
          .map(([key, value]) => `${key}=${short(value)}`)
          .join(" ")
      : short(metadata)
  const letters = [...visible(text.slice(0, 4 * longest))]
  return letters.length > longest ? `${letters.slice(0, longest - 1).join("")}…` : letters.join("")
}

const short = (value: unknown): string =>
  typeof value === "string" && /^[\w.:/@+-]+$/.test(value) ? value : (JSON.stringify(value) ?? "")
