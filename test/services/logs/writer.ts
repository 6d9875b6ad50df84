/**
 * A process that logs, for tests that kill it or run several at once: `writer <session> <database> <ndjson or -> <events> [acks]`.
 *
 * It prints `ready` when the session is open, and appends `<n>` to the file `acks` with a synchronous write as soon as event n is
 * acknowledged. Several events are in flight at any time.
 */
import { openSync, writeSync } from "node:fs"
import * as Effect from "effect/Effect"
import { SessionLog } from "../../../src/services/logs/SessionLog.ts"
import { SqlitePool } from "../../../src/services/logs/write/SqlitePool.ts"

const [id = "", db = "", ndjson = "-", events = "0", acks] = process.argv.slice(2)
const file = acks === undefined ? undefined : openSync(acks, "a")

const program = Effect.gen(function* () {
  const session = yield* SessionLog.open({ id, db, ndjson: ndjson === "-" ? false : ndjson })
  writeSync(1, "ready\n")
  yield* Effect.forEach(
    Array.from({ length: Number(events) }, (_, i) => i + 1),
    (n) =>
      Effect.map(session.log("tool", `event ${n} ${"x".repeat((n * 37) % 300)}`, { n }), () => {
        if (file !== undefined) writeSync(file, `${n}\n`)
      }),
    { concurrency: 64, discard: true }
  )
}).pipe(Effect.scoped, Effect.provide(SqlitePool.layer))

Effect.runPromise(program).then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`)
    process.exit(1)
  }
)
