/**
 * A process that writes rows to a journal: `journalist <directory> <name> <rows>`.
 */
import * as Effect from "effect/Effect"
import { ChangeJournal } from "../../../src/services/logs/ChangeJournal.ts"

const [directory = "", name = "", rows = "0"] = process.argv.slice(2)
const row = (n: number) =>
  Effect.scoped(
    Effect.flatMap(ChangeJournal.open({ directory, command: "codex test", arguments: [`${name}-${n}`] }), (journal) =>
      journal.result("x".repeat(150))
    )
  )
Effect.runPromise(
  Effect.forEach(
    Array.from({ length: Number(rows) }, (_, n) => n),
    row,
    { discard: true }
  )
).then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`)
    process.exit(1)
  }
)
