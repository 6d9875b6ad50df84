/**
 * The job behind `codex logs init-sample`: a log to try the commands on, in the table that codex itself writes.
 *
 * Only the sample's own three sessions are ever touched: a log with real sessions keeps them.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type Level, type Metadata, type Role, toLine } from "./SessionEvent.ts"
import { SessionLogError } from "./write/Sink.ts"
import { explain, SqlitePool, sqliteSink, whileBusy } from "./write/SqlitePool.ts"

export interface Options {
  readonly db: string
  /** Take away what an earlier sample put there. */
  readonly reset: boolean
  /** Put the sessions there, unless they are. */
  readonly seed: boolean
}

/**
 * Makes the table, and says how many sample events went, came, and how many others there are. Who asks for a sample wants it
 * written, also where logging is off.
 */
export const create = ({ db, reset, seed }: Options) =>
  Effect.gen(function* () {
    if (db.endsWith(".ndjson")) return yield* noDatabase(db)
    const pool = yield* SqlitePool
    const database = yield* pool.open(db)
    const run = (sql: string) => Effect.mapError(Effect.retry(database.rows(sql), whileBusy), explain)
    const count = (where: string) =>
      Effect.map(run(`SELECT count(*) AS n FROM session_events WHERE ${where}`), ([row]) => Number(row?.n))
    const removed = reset ? yield* count(ofSample) : 0
    if (reset) yield* run(`DELETE FROM session_events WHERE ${ofSample}`)
    const others = yield* count(`NOT (${ofSample})`)
    const present = yield* count(ofSample)
    if (!seed || present > 0) return { removed, added: 0, present, others }
    const now = (yield* Clock.currentTimeMillis) / 1000
    yield* sqliteSink(database).write(linesOf(now))
    const added = yield* count(ofSample)
    return { removed, added, present: added, others }
  }).pipe(Effect.scoped)

const noDatabase = (path: string) =>
  new SessionLogError({
    reason: "Schema",
    path,
    details: "a sample is a SQLite database, and this is the name of NDJSON.",
    remedy: "Name a database by --db."
  })

const ofSample = "session_id IN ('sample-chat', 'sample-training', 'sample-failure')"

type Sample = readonly [secondsAfter: number, Role, message: string, Level?, Metadata?]

interface Session {
  readonly id: string
  readonly secondsAgo: number
  readonly events: ReadonlyArray<Sample>
}

const sessions: ReadonlyArray<Session> = [
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
