/**
 * The names under which logs keep the parts of an event, in order of preference.
 *
 * They are compared by their letters and digits, capital or small: `createdAt` is `created_at`, `@timestamp` is `timestamp`.
 */
import type { Columns } from "./Log.ts"

export type Part = keyof Columns

/** In the order in which they are looked for: a name that fits two parts goes to the first that has no better one. */
export const parts: ReadonlyArray<Part> = ["time", "session", "role", "message", "level", "metadata"]

export const names: Record<Part, ReadonlyArray<string>> = {
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

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "")

const ranks: Record<Part, ReadonlyMap<string, number>> = {
  time: new Map(names.time.map((name, rank) => [plain(name), rank])),
  session: new Map(names.session.map((name, rank) => [plain(name), rank])),
  role: new Map(names.role.map((name, rank) => [plain(name), rank])),
  message: new Map(names.message.map((name, rank) => [plain(name), rank])),
  level: new Map(names.level.map((name, rank) => [plain(name), rank])),
  metadata: new Map(names.metadata.map((name, rank) => [plain(name), rank]))
}

/**
 * Which of these names holds which part; `given` wins. No name is used twice, unless it was given twice.
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
      const rank = ranks[part].get(plain(name)) ?? Number.POSITIVE_INFINITY
      if (rank >= best || used.has(name)) continue
      best = rank
      chosen[part] = name
    }
    if (chosen[part] !== undefined) used.add(chosen[part])
  }
  return chosen
}
