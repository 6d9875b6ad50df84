/**
 * A process that reads damaged files: `child <format> <first> <last> <place>`. It prints each fault as a line of JSON, and writes the
 * number of the current case to the file `place`, so that the case is known after an abort or a hang.
 */
import { openSync, writeSync } from "node:fs"
import { join } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import { attempt } from "./attempt.ts"
import { folder, formats } from "./readers.ts"

const [name = "", first = "0", last = "0", place = ""] = process.argv.slice(2)
const at = openSync(place, "w")

const program = Effect.gen(function* () {
  const files = yield* formats[name]!(join(yield* folder))
  for (let seed = Number(first); seed < Number(last); seed++) {
    writeSync(at, String(seed).padStart(12), 0)
    const fault = yield* attempt(files, seed)
    if (fault !== undefined) writeSync(1, `${JSON.stringify(fault)}\n`)
  }
  writeSync(at, "done".padStart(12), 0)
}).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

Effect.runPromise(program).catch((error: unknown) => {
  writeSync(2, String(error))
  process.exit(1)
})
