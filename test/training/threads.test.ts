/**
 * A run has the same bytes at every number of threads, and may be resumed with another one. `npm test` trains the smallest of the
 * shipped models; `npm run test:full` all of them. Oracle: one thread. Needs CPU sessions, native and WebAssembly.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { afterAll } from "vitest"
import { root } from "../../scripts/build.mjs"
import * as Training from "../../src/core/training/Training.ts"
import * as Run from "../../src/jobs/Run.ts"
import * as SavedRun from "../../src/jobs/SavedRun.ts"
import { full } from "../full.ts"
import * as Tiny from "./tiny.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-threads-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const documents = Array.from({ length: 12 }, (_, i) =>
  `${i}: the whale is ${["white", "near", "gone"][i % 3]}, and the sea is wide. `.repeat(40)
)

const on = (threads: number, device: "cpu" | "wasm" = "cpu") =>
  Run.layer({ runs: join(folder, "runs"), device, threads })

const options = (model: string, steps = 8) => ({
  ...{ data: documents, tokenizer: "byte", model },
  training: { max_steps: steps, batch_size: 16, eval_windows: 2, save_steps: 100 }
})

const hash = ({ checkpoint }: { readonly checkpoint: string | null }) =>
  ["model", "optimizer"].map((file) => Tiny.sha256(join(checkpoint ?? "", `${file}.safetensors`)))

/** The hashes at the end, at one number of threads. */
const whole = (
  model: string,
  threads: number,
  { device = "cpu", steps = 8 }: { device?: "cpu" | "wasm"; steps?: number } = {}
) => Effect.map(Run.train(options(model, steps)), hash).pipe(Effect.scoped, Effect.provide(on(threads, device)))

const presets = readdirSync(join(root, "configs/model")).map((file) => file.replace(".yaml", ""))

describe("training on the CPU", () => {
  for (const model of full ? presets : ["tiny"]) {
    it.live(`${model}: 4 updates with 1 thread and 4 with 2 are 8 with 4, byte for byte`, () =>
      Effect.gen(function* () {
        const stopped = yield* Run.train({
          ...options(model),
          combinator: Training.stopWhen((event) => event._tag === "Step" && event.step === 4)
        }).pipe(Effect.scoped, Effect.provide(on(1)))
        expect(stopped.state).toMatchObject({ step: 4, finished: null })
        const manifest = JSON.parse(readFileSync(join(stopped.checkpoint ?? "", "manifest.json"), "utf8"))
        expect(manifest.provenance).toMatchObject({ threads: "1", thread_dependence: "none" })
        const resumed = yield* Run.resume(stopped.directory).pipe(Effect.scoped, Effect.provide(on(2)))
        expect(resumed.state).toMatchObject({ step: 8, finished: "completed" })
        for (const threads of full ? [1, 2, 3, 4, 8] : [4]) {
          expect([threads, yield* whole(model, threads)]).toEqual([threads, hash(resumed)])
        }
      })
    )
  }
})

describe("training on WebAssembly", () => {
  for (const model of full ? presets : ["tiny"]) {
    it.live(`${model}: has the same bytes with 1, 2 and 4 threads`, () =>
      Effect.gen(function* () {
        const wasm = { device: "wasm", steps: full ? 8 : 2 } as const
        const one = yield* whole(model, 1, wasm)
        for (const threads of full ? [2, 4] : [2]) {
          expect([threads, yield* whole(model, threads, wasm)]).toEqual([threads, one])
        }
      })
    )
  }
})

describe("a run whose bits depend on the number of threads", () => {
  const run = { directory: "runs/r" }
  const provenance = { backend: "cpu", threads: "1", thread_dependence: "train: Gemm of w: it depends. Change it" }
  const resume = (saved: Readonly<Record<string, string>>, threads: number) =>
    SavedRun.requireDevice(run, { provenance: saved }, { device: "cpu", threads })

  it.effect("is resumed with its own number only, and the message names the product", () =>
    Effect.gen(function* () {
      yield* resume(provenance, 1)
      const refused = yield* Effect.flip(resume(provenance, 2))
      expect(refused.message).toBe(
        "runs/r: this run was trained with 1 thread, and with 2 it would not continue with the same bits. " +
          "train: Gemm of w: it depends. Change it. Resume it with CODEX_THREADS=1, or start a new run."
      )
    })
  )

  it.effect("is one with more threads than the rule is for", () =>
    Effect.gen(function* () {
      const independent = { ...provenance, thread_dependence: "none" }
      yield* resume(independent, 32)
      expect((yield* Effect.flip(resume(independent, 33))).message).toContain("Bits are the same at 1 to 32 threads.")
    })
  )
})
