/**
 * A sample log to try the commands on (`codex logs init-sample`), in the table that codex writes.
 *
 * Only the three sessions of the sample are added and removed; other sessions in the log are not changed.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type Level, type Metadata, type Role, toLine } from "./SessionEvent.ts"
import { SessionLogError } from "./write/Sink.ts"
import { explain, SqlitePool, sqliteSink, whileBusy } from "./write/SqlitePool.ts"

/** What to do with the sample. */
export interface Options {
  /** The database; it is created if it does not exist. */
  readonly db: string
  /** Remove an earlier sample. */
  readonly reset: boolean
  /** Add the sample, unless it is there. */
  readonly seed: boolean
}

/**
 * Creates the table, and returns how many sample events were removed, were added and are present, and how many other events there
 * are. It works even if logging is turned off. Fails with `SessionLogError`.
 */
export const create = ({ db, reset, seed }: Options) =>
  Effect.gen(function* () {
    if (db.endsWith(".ndjson")) return yield* noDatabase(db)
    const pool = yield* SqlitePool
    const database = yield* pool.open(db)
    const run = (sql: string) => Effect.mapError(Effect.retry(database.rows(sql), whileBusy), explain)
    const count = (where: string) =>
      Effect.map(run(`SELECT count(*) AS n FROM session_events WHERE ${where}`), ([row]) => Number(row?.n))
    const removed = reset ? yield* count(isSample) : 0
    if (reset) yield* run(`DELETE FROM session_events WHERE ${isSample}`)
    const others = yield* count(`NOT (${isSample})`)
    const present = yield* count(isSample)
    if (!seed || present > 0) return { removed, added: 0, present, others }
    const now = (yield* Clock.currentTimeMillis) / 1000
    yield* sqliteSink(database).write(linesOf(now))
    const added = yield* count(isSample)
    return { removed, added, present: added, others }
  }).pipe(Effect.scoped)

const noDatabase = (path: string) =>
  new SessionLogError({
    reason: "Schema",
    path,
    details: "a sample is a SQLite database, and this is the name of an NDJSON file.",
    remedy: "Name a database with --db."
  })

const isSample = "session_id IN ('sample-chat', 'sample-training', 'sample-failure')"

type SampleEvent = readonly [secondsAfter: number, Role, message: string, Level?, Metadata?]

interface SampleSession {
  readonly id: string
  readonly secondsAgo: number
  readonly events: ReadonlyArray<SampleEvent>
}

const sessions: ReadonlyArray<SampleSession> = [
  {
    id: "sample-training",
    secondsAgo: 2 * 24 * 3600,
    events: [
      [0, "system", "session_start", "INFO", { command: "codex train" }],
      [0.4, "system", "tokenizer: 4,096 tokens", "DEBUG"],
      [12, "tool", "step 100: loss 4.91 nats/token", "INFO", { step: 100, loss: 4.91 }],
      [24, "tool", "step 200: loss 3.87 nats/token", "INFO", { step: 200, loss: 3.87 }],
      [25, "system", "the loss on held-out text has risen", "WARN", { step: 200 }],
      [26, "system", "session_end", "INFO", { outcome: "success", duration_seconds: 26 }]
    ]
  },
  {
    id: "sample-chat",
    secondsAgo: 3600,
    events: [
      [0, "system", "session_start"],
      [1, "user", "Call me"],
      [2.5, "assistant", "Ishmael. Some years ago,\nnever mind how long precisely"],
      [9, "user", "100 % of _that_, please"],
      [9.2, "tool", "generated 12 tokens", "DEBUG", { tokens: 12 }],
      [10, "assistant", "Having little or no money in my purse"],
      [11, "system", "session_end", "INFO", { outcome: "success", duration_seconds: 11 }]
    ]
  },
  {
    id: "sample-failure",
    secondsAgo: 600,
    events: [
      [0, "system", "session_start", "INFO", { command: "codex evaluate" }],
      [0.3, "system", "runs/none: There is no run here", "ERROR", { tag: "RunError" }],
      [0.4, "system", "session_end", "ERROR", { outcome: "failure", duration_seconds: 0.4 }]
    ]
  }
]

const linesOf = (now: number): ReadonlyArray<string> =>
  sessions.flatMap(({ events, id, secondsAgo }) =>
    events.map(([after, role, message, level = "INFO", metadata = {}]) =>
      toLine({ ts: now - secondsAgo + after, session_id: id, role, level, message, metadata })
    )
  )
