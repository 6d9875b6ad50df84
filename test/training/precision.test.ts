/**
 * Training with `backend.precision=float16` on the CPU, which rounds to half precision: it learns as float32 does, resumes with the same
 * bytes, and says what it is. Oracles: the same run in float32, and one that was not interrupted. Needs CPU sessions.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterAll } from "vitest"
import { Backend } from "../../src/core/Backend.ts"
import { sizeOf } from "../../src/core/tensor/Tensor.ts"
import type { RunEvent } from "../../src/core/training/TrainEvent.ts"
import * as Training from "../../src/core/training/Training.ts"
import {
  initialParameters,
  parameterTypes,
  stateNames,
  trainProgram
} from "../../src/core/training/TrainingPrograms.ts"
import { TrainingSession } from "../../src/core/training/TrainingSession.ts"
import * as Run from "../../src/jobs/Run.ts"
import * as OnnxBackend from "../../src/services/backend/OnnxBackend.ts"
import { full } from "../full.ts"
import * as Tiny from "./tiny.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-precision-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const on = (precision: "float16" | "float32" | undefined, threads = 1) =>
  Run.layer({ runs: join(folder, "runs"), device: "cpu", threads, precision })

const options = {
  data: Array.from({ length: 30 }, (_, i) => `${i} little birds sang in a tree, and ${i + 1} flew away.`),
  tokenizer: "byte",
  model: "tiny",
  training: { max_steps: 40, lr: 1e-2, batch_size: 4, context_length: 16, eval_steps: 100, save_steps: 100 }
} as const

const hash = ({ checkpoint }: { readonly checkpoint: string | null }) =>
  ["model", "optimizer"].map((file) => Tiny.sha256(join(checkpoint ?? "", `${file}.safetensors`)))

const stopAt = (step: number) => Training.stopWhen((event) => event._tag === "Step" && event.step === step)

/** The mean loss of the last ten updates of a run. */
const lossIn = (precision: "float16" | "float32") =>
  Effect.gen(function* () {
    const losses: Array<number> = []
    const onEvent = (event: RunEvent) =>
      Effect.sync(() => {
        if (event._tag === "Step" && event.step > 30) losses.push(event.loss / 10)
      })
    yield* Run.train({ ...options, onEvent })
    return losses.reduce((x, y) => x + y, 0)
  }).pipe(Effect.scoped, Effect.provide(on(precision)))

describe("a run in half precision", () => {
  // Two trainings of forty updates; the gradients are compared in backend/onnx/halfPrecision.test.ts.
  it.live.runIf(full)("learns as in float32", () =>
    Effect.gen(function* () {
      const [half, float] = [yield* lossIn("float16"), yield* lossIn("float32")]
      expect(float).toBeLessThan(3.5)
      expect(half).not.toBe(float)
      expect(Math.abs(half / float - 1)).toBeLessThan(0.01)
    })
  )

  it.live(
    "is resumed in its precision only, with any number of threads and the same bytes; it can be used in any",
    () =>
      Effect.gen(function* () {
        const short = { ...options, training: { ...options.training, max_steps: 6 } }
        const whole = yield* Run.train(short).pipe(Effect.scoped, Effect.provide(on("float16")))
        const stopped = yield* Run.train({ ...short, combinator: stopAt(3) }).pipe(
          Effect.scoped,
          Effect.provide(on("float16"))
        )
        const manifest = JSON.parse(readFileSync(join(stopped.checkpoint ?? "", "manifest.json"), "utf8"))
        expect(manifest.provenance).toMatchObject({
          device: expect.stringMatching(/, float16$/),
          precision: "float16",
          thread_dependence: "none"
        })
        const refused = yield* Effect.flip(Run.resume(stopped.directory)).pipe(
          Effect.scoped,
          Effect.provide(on("float32"))
        )
        expect(refused).toMatchObject({ _tag: "OtherPrecision", trained: "float16", started: "float32" })
        expect(refused.message).toContain("Resume it with CODEX_PRECISION=float16, or start a new run.")
        const opened = yield* Effect.flatMap(Run.open(stopped.directory), (run) =>
          run.generate("3 little", { seed: 1 })
        ).pipe(Effect.scoped, Effect.provide(on("float32")))
        expect(opened).not.toBe("")
        const resumed = yield* Run.resume(stopped.directory).pipe(Effect.scoped, Effect.provide(on("float16", 2)))
        expect(hash(resumed)).toEqual(hash(whole))
      })
  )

  it.effect("has a scale of the loss that changes no digit of what float32 learns", () =>
    Effect.gen(function* () {
      const architecture = Tiny.architecture()
      const optimizer = Tiny.optimizer(1)
      const sizes = { batchSize: 4, contextLength: 8, accumulation: 2 }
      const programs = {
        plain: yield* trainProgram(architecture, optimizer, sizes),
        scaled: yield* trainProgram(architecture, optimizer, { ...sizes, lossScale: 2 ** 13 })
      }
      const executable = yield* (yield* Backend).compile(programs)
      const scalar = (value: number) => ({ dtype: "float32", shape: [], data: Float32Array.of(value) }) as const
      const tokens = { dtype: "int32", shape: [4, 8], data: Tiny.periodic(32) } as const
      const inputs = { tokens, targets: { ...tokens, data: Tiny.periodic(33).slice(1) }, learning_rate: scalar(1e-2) }
      const seed = { dtype: "int32", shape: [], data: Int32Array.of(1) } as const
      const types = optimizer.state(parameterTypes(architecture))
      const zeros = Object.fromEntries(
        Object.entries(types).map(([name, { dtype, shape }]) => [
          name,
          { dtype, shape, data: new Float32Array(sizeOf(shape)) }
        ])
      )
      const trained = (name: "plain" | "scaled") =>
        Effect.gen(function* () {
          yield* executable.writeState({
            ...stateNames.parameters(initialParameters(architecture.parameters, 1)),
            ...stateNames.optimizer(zeros)
          })
          const outputs = yield* executable.run(name, { ...inputs, seed, step: scalar(1) })
          return { outputs, state: yield* executable.readState() }
        })
      expect(yield* trained("scaled")).toEqual(yield* trained("plain"))
    }).pipe(Effect.scoped, Effect.provide(OnnxBackend.layer({ device: "cpu", threads: 1 })))
  )

  it.effect("reports numbers beyond its range as what is not finite", () =>
    Effect.gen(function* () {
      const architecture = Tiny.architecture()
      const parameters = Object.fromEntries(
        Object.entries(initialParameters(architecture.parameters, 1)).map(([name, value]) => [
          name,
          { ...value, data: Float32Array.from(value.data, (x: number) => (name.includes("down_proj") ? x * 1e7 : x)) }
        ])
      )
      const error = yield* Tiny.withSession(
        { architecture, parameters },
        Effect.flatMap(TrainingSession, (session) => Effect.flip(session.step))
      )
      expect(error).toMatchObject({ _tag: "NonFiniteLoss", step: 1 })
      expect(error.message).toContain("(half precision ends at 65,504), so training stopped.")
    }).pipe(
      Effect.provide(Layer.merge(Tiny.files, OnnxBackend.layer({ device: "cpu", threads: 1, precision: "float16" })))
    )
  )
})
