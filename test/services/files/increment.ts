/**
 * Adds one to the number in a file, many times, each time in two steps under a lock: a child process of FileLock.test.ts.
 *
 *     node --import tsx test/services/files/increment.ts <file> <times>
 */
import { readFileSync, writeFileSync } from "node:fs"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as FileLock from "../../../src/services/files/FileLock.ts"

const [file = "", times = "1"] = process.argv.slice(2)

const increment = Effect.gen(function* () {
  const value = Number(readFileSync(file, "utf8"))
  yield* Effect.sleep("2 millis")
  writeFileSync(file, String(value + 1))
})

await Effect.runPromise(
  Effect.repeatN(FileLock.exclusively(`${file}.lock`, increment), Number(times) - 1).pipe(
    Effect.provide(NodeContext.layer)
  )
)
