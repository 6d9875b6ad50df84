/**
 * The entry of a child process: runs one job and writes its messages to file descriptor 3, a line of JSON each.
 *
 * Arguments: the job's name, the options as JSON, and the limit of time in seconds. Written synchronously, so that a native abort loses no finished figure. A process
 * whose work is done ends by itself; one that does not, or that crashes while it releases a device, shows that to its parent.
 */
import { writeSync } from "node:fs"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type Message, messageOf, Options } from "./Job.ts"
import { jobNamed } from "./Parts.ts"

const [name = "", options = "", limit = ""] = process.argv.slice(2)
const timeLeft = () => 1 - performance.now() / 1000 / Number(limit)

const send = (message: Message) => Effect.sync(() => void writeSync(3, `${JSON.stringify(message)}\n`))

// The parent holds the other end. When it is gone, nobody reads the figures.
process.stdin.on("end", () => process.exit(1)).resume()
process.stdin.unref()

const program = Effect.gen(function* () {
  const decoded = yield* Schema.decode(Schema.parseJson(Options))(options)
  yield* jobNamed(decoded, name).run(decoded, (table, row) => send({ _tag: "Figure", table, row }), timeLeft)
}).pipe(
  Effect.catchAllCause((cause) =>
    Cause.isInterrupted(cause) ? Effect.void : send({ _tag: "Failed", details: messageOf(Cause.squash(cause)) })
  ),
  Effect.zipRight(send({ _tag: "Done" }))
)

NodeRuntime.runMain(program)
