/**
 * Lines as rows of the table `session_events`.
 *
 * A batch is one statement that takes the lines apart itself: all of it is committed or none, without a transaction around, and
 * faster than a statement for each row once bound through Effect. While another process writes, it is tried again.
 */
import * as Effect from "effect/Effect"
import type { Database } from "../Sqlite.ts"
import type { Sink } from "./Sink.ts"
import { explain, whileBusy } from "./SqlitePool.ts"

const insert = `INSERT INTO session_events(ts, session_id, role, message, level, metadata)
SELECT value ->> 'ts', value ->> 'session_id', value ->> 'role', value ->> 'message', value ->> 'level', value -> 'metadata'
FROM json_each(?)`

export const make = (database: Database): Sink => ({
  path: database.path,
  write: (lines) =>
    database
      .rows(insert, [`[${lines.join(",")}]`])
      .pipe(Effect.retry(whileBusy), Effect.mapError(explain), Effect.asVoid)
})
