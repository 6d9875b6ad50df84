/**
 * A process that rotates once, for tests that kill it: `rotator <database> <sessions> <archive> <max bytes>`. It prints `ready` when
 * its modules are loaded.
 */
import { writeSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as LogRotation from "../../../../src/services/logs/rotation/LogRotation.ts"
import { SqlitePool } from "../../../../src/services/logs/write/SqlitePool.ts"

const [db = "", sessions = "", archive = "", maxBytes = "0"] = process.argv.slice(2)
writeSync(1, "ready\n")
Effect.runPromise(
  LogRotation.rotate({ db, sessions, archive, maxAge: undefined, maxBytes: Number(maxBytes), dryRun: false }).pipe(
    Effect.provide(SqlitePool.layer)
  )
).then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`)
    process.exit(1)
  }
)
