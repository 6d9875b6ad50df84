/**
 * Which columns of a table, or keys of an NDJSON object, hold which part of an event; and an event from the texts found there.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Json from "../../../core/data/Json.ts"
import { Level, type LogEvent, normalizeLevel } from "../SessionEvent.ts"
import { type Columns, LogReadError } from "./Log.ts"
import { isoOf } from "./Timestamp.ts"

/** A part of an event that a column may hold. */
export type Part = keyof Columns

/** In the order of detection: a name that fits two parts goes to the first that has no better one. */
export const parts: ReadonlyArray<Part> = ["time", "session", "role", "message", "level", "metadata"]

/** Names of columns by part, in order of preference. Case and punctuation are ignored: `createdAt` is `created_at`. */
export const columnNames: Record<Part, ReadonlyArray<string>> = {
  time: ["ts", "timestamp", "created_at", "time", "logged_at", "datetime", "created", "date", "at", "when"],
  session: [
    "session_id",
    "session",
    "sid",
    "conversation_id",
    "conversation",
    "context_id",
    "thread_id",
    "thread",
    "chat_id",
    "run_id"
  ],
  role: ["role", "kind", "type", "actor", "author", "sender", "speaker"],
  message: ["message", "msg", "content", "text", "body", "event", "detail", "details", "description"],
  level: ["level", "lvl", "severity", "log_level", "levelname"],
  metadata: ["metadata", "meta", "data", "extra", "attributes", "properties", "payload"]
}

const comparable = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "")

const ranks: Record<Part, ReadonlyMap<string, number>> = {
  time: new Map(columnNames.time.map((name, rank) => [comparable(name), rank])),
  session: new Map(columnNames.session.map((name, rank) => [comparable(name), rank])),
  role: new Map(columnNames.role.map((name, rank) => [comparable(name), rank])),
  message: new Map(columnNames.message.map((name, rank) => [comparable(name), rank])),
  level: new Map(columnNames.level.map((name, rank) => [comparable(name), rank])),
  metadata: new Map(columnNames.metadata.map((name, rank) => [comparable(name), rank]))
}

/**
 * Assigns names of columns to parts; `given` takes precedence. No name is used twice, unless it was given twice.
 *
 * @example
 *   assign(["id", "createdAt", "text"], {}) // { time: "createdAt", message: "text" }
 */
export const assign = (found: ReadonlyArray<string>, given: Columns): Columns => {
  const used = new Set(Object.values(given))
  const chosen: { -readonly [part in Part]?: string | undefined } = { ...given }
  for (const part of parts) {
    if (chosen[part] !== undefined) continue
    let best = Number.POSITIVE_INFINITY
    for (const name of found) {
      const rank = ranks[part].get(comparable(name)) ?? Number.POSITIVE_INFINITY
      if (rank >= best || used.has(name)) continue
      best = rank
      chosen[part] = name
    }
    if (chosen[part] !== undefined) used.add(chosen[part])
  }
  return chosen
}

/** The options of `codex logs` for the table and its columns. */
export const flags: Record<Part | "table", string> = {
  table: "--table",
  time: "--time-column",
  session: "--session-column",
  role: "--role-column",
  message: "--message-column",
  level: "--level-column",
  metadata: "--metadata-column"
}

/** Fails for names that are not plain: they become part of SQL. */
export const checkNames = (
  path: string,
  given: Columns & { readonly table?: string | undefined }
): Effect.Effect<void, LogReadError> =>
  Effect.forEach(
    ["table", ...parts] as const,
    (part) => {
      const name = given[part]
      if (name === undefined || /^[A-Za-z0-9_]+$/.test(name)) return Effect.void
      return new LogReadError({
        reason: "Option",
        path,
        details: `${flags[part]} is ${JSON.stringify(name)}, which is not a valid name: only letters, digits and _ are allowed.`,
        remedy: "If a table or column has such a name, create a view with plain names."
      })
    },
    { discard: true }
  )

const levels: ReadonlyArray<string> = Level.literals

/** The parts of an event as they were found. */
export interface EventTexts {
  readonly seconds: number | null
  /** The original text of the time. */
  readonly time: string | null
  readonly session: string | null
  readonly role: string | null
  readonly message: string | null
  readonly level: string | null
  readonly metadata: unknown
}

/** An event from its parts. */
export const eventOf = (texts: EventTexts): LogEvent => ({
  ts: texts.seconds,
  time: texts.seconds === null ? texts.time : isoOf(texts.seconds),
  session_id: texts.session,
  role: texts.role,
  level: levelIn(texts.level, texts.role),
  message: texts.message ?? "",
  metadata: texts.metadata
})

/** The level, else the role if that is the name of a level. */
export const levelIn = (level: string | null, role: string | null): string | null => {
  if (level !== null && level.trim() !== "") return normalizeLevel(level)
  const fromRole = normalizeLevel(role ?? "")
  return levels.includes(fromRole) ? fromRole : null
}

/** Parsed if it is JSON, else the text. */
export const metadataOf = (text: string | null): unknown =>
  text === null ? null : Either.getOrElse(Json.parse(text), () => text)
