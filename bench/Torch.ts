/**
 * The PyTorch peer (bench/torch_peer.py) as a child process that answers one request at a time. Absent where torch is not installed.
 *
 * Its threads are pinned before it starts, because OpenBLAS and MKL read their environment only then: with torch alone at
 * one thread, OpenBLAS still uses every core. What the process really runs on comes back with `open` and is printed.
 */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Size } from "./Sizes.ts"

/** Threads of torch's own loops, and of the library that multiplies matrices. */
export interface Threads {
  readonly torch: number
  readonly blas: number
  /** What an idle thread of OpenMP does: spinning is faster on a quiet machine, sleeping on a busy one. */
  readonly wait: "active" | "passive"
}

/** What the peer computes on and how. Default: eager in float32 on the processor. */
export interface Setting {
  readonly device?: "cpu" | "cuda"
  readonly mode?: "eager" | "compile"
  readonly precision?: "float32" | "tf32" | "bfloat16"
  /** Side of the product that `peak` times. Default: 1024. */
  readonly side?: number
}

/** The time of some steps: by the clock, and of all processors together. */
export interface Time {
  readonly seconds: number
  readonly processorSeconds: number
}

export interface Torch {
  /** Version, threads and kernels as the process reports them. */
  readonly description: string
  /** The time that `count` optimizer steps take. */
  readonly steps: (count: number) => Effect.Effect<Time, string>
  /** Floating-point operations a second of a large product. */
  readonly peak: Effect.Effect<number, string>
}

const decode = Schema.decodeUnknown(
  Schema.parseJson(
    Schema.Struct({
      seconds: Schema.optional(Schema.Number),
      processor_seconds: Schema.optional(Schema.Number),
      flops: Schema.optional(Schema.Number),
      description: Schema.optional(Schema.String),
      error: Schema.optional(Schema.String)
    })
  )
)

/** An environment that pins OpenBLAS to an older processor would slow the peer. */
const { OPENBLAS_CORETYPE: _, OPENBLAS_L2_SIZE: __, ...environment } = process.env

/** Starts the peer with a model of this size. Fails with a sentence that says why there is none. */
export const open = (
  python: string,
  size: Size,
  threads: Threads,
  { device, mode, precision, side = 1024 }: Setting = {}
): Effect.Effect<Torch, string, Scope.Scope> =>
  Effect.gen(function* () {
    const gone = yield* Deferred.make<never, string>()
    const lines = yield* Queue.unbounded<string>()
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(python, [fileURLToPath(new URL("./torch_peer.py", import.meta.url))], {
          stdio: ["pipe", "pipe", "ignore"],
          env: {
            ...environment,
            OMP_NUM_THREADS: String(threads.torch),
            OMP_WAIT_POLICY: threads.wait,
            OPENBLAS_NUM_THREADS: String(threads.blas),
            MKL_NUM_THREADS: String(threads.blas)
          }
        })
      ),
      (process) => Effect.sync(() => process.kill())
    )
    // One listener of each kind for the whole life of the process; a request only writes and waits.
    child.once("error", () => Deferred.unsafeDone(gone, Effect.fail(`${python} does not start`)))
    child.once("exit", (code) =>
      Deferred.unsafeDone(gone, Effect.fail(`${python} has no torch (it ended with ${code})`))
    )
    child.stdin.on("error", () => undefined)
    createInterface({ input: child.stdout }).on("line", (line) => Queue.unsafeOffer(lines, line))

    const ask = (request: object) =>
      Effect.sync(() => child.stdin.write(`${JSON.stringify(request)}\n`)).pipe(
        Effect.zipRight(Effect.raceFirst(Queue.take(lines), Deferred.await(gone))),
        Effect.flatMap((line) => Effect.mapError(decode(line), String)),
        Effect.filterOrElse(
          ({ error }) => error === undefined,
          ({ error }) => Effect.fail(error ?? "")
        )
      )
    const field = <A>(value: A | undefined, name: string) =>
      value === undefined ? Effect.fail(`the peer answered without ${name}`) : Effect.succeed(value)

    const { description } = yield* ask({
      op: "open",
      layers: size.layers,
      width: size.width,
      heads: size.heads,
      context: size.contextLength,
      batch: size.batchSize,
      vocabulary: size.vocabularySize,
      threads: threads.torch,
      device,
      mode,
      precision
    })
    return {
      description: yield* field(description, "description"),
      steps: (count) =>
        Effect.flatMap(ask({ op: "steps", count }), ({ processor_seconds, seconds }) =>
          Effect.all({
            seconds: field(seconds, "seconds"),
            processorSeconds: field(processor_seconds, "processor_seconds")
          })
        ),
      peak: Effect.flatMap(ask({ op: "peak", side }), ({ flops }) => field(flops, "flops"))
    }
  })
