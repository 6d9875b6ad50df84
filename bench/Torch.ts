/** The PyTorch peer of bench/torch_peer.py as a child process that answers one request at a time. Absent where it is not installed. */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

const Answer = Schema.parseJson(
  Schema.Struct({
    seconds: Schema.optional(Schema.Number),
    flops: Schema.optional(Schema.Number),
    torch: Schema.optional(Schema.String)
  })
)

export interface Torch {
  readonly ask: (request: object) => Effect.Effect<typeof Answer.Type, string>
}

const python = "/usr/bin/python3"

/** An environment that pins OpenBLAS to an older processor would slow the peer. */
const { OPENBLAS_CORETYPE: _, OPENBLAS_L2_SIZE: __, ...fastest } = process.env

export const open: Effect.Effect<Torch, string, Scope.Scope> = Effect.gen(function* () {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(python, [fileURLToPath(new URL("./torch_peer.py", import.meta.url))], {
        stdio: ["pipe", "pipe", "ignore"],
        env: fastest
      })
    ),
    (process) => Effect.sync(() => process.kill())
  )
  const lines = createInterface({ input: child.stdout })
  const ask = (request: object) =>
    Effect.async<string, string>((resume) => {
      lines.once("line", (line) => resume(Effect.succeed(line)))
      child.once("exit", () => resume(Effect.fail(`${python} has no torch`)))
      child.once("error", () => resume(Effect.fail(`${python} is not there`)))
      child.stdin.on("error", () => {})
      child.stdin.write(`${JSON.stringify(request)}\n`)
    }).pipe(
      Effect.flatMap((line) => Schema.decode(Answer)(line)),
      Effect.mapError(String),
      Effect.ensuring(Effect.sync(() => child.removeAllListeners()))
    )
  yield* ask({ op: "peak" })
  return { ask }
})
