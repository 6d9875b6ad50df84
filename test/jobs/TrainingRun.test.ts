/**
 * A run that is extended after it has finished, and a run that starts from the weights of another one.
 *
 * Oracles: a run of the whole length with a constant learning rate, which must have the same bits; the parent's weights; the words of a
 * refusal. Needs the CPU.
 */
import { cpSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { beforeAll } from "vitest"
import type { RunEvent } from "../../src/core/training/TrainEvent.ts"
import * as Run from "../../src/jobs/Run.ts"
import { text } from "../cli/workspace.ts"
import { make } from "./environment.ts"

const { at, provided } = make("training-run")

const documents = Array.from({ length: 12 }, (_, i) => text(i + 1, 3))
const training = {
  max_steps: 4,
  lr: 1e-2,
  lr_schedule: "constant",
  batch_size: 2,
  context_length: 16,
  eval_steps: 2,
  save_steps: 2
} as const
const options = { data: documents, tokenizer: "byte", model: "tiny", training } as const

const weightsOf = (checkpoint: string) => readFileSync(join(checkpoint, "model.safetensors")).toString("hex")
const record = (directory: string) => JSON.parse(readFileSync(join(directory, "data.json"), "utf8"))
const recorded = () => {
  const events: Array<RunEvent> = []
  return { events, onEvent: (event: RunEvent) => Effect.sync(() => void events.push(event)) }
}

let finished: Run.Run
let copies = 0
const copy = (): string => {
  const directory = at("runs", `copy-${++copies}`)
  cpSync(finished.directory, directory, { recursive: true })
  return directory
}
beforeAll(async () => {
  finished = await Effect.runPromise(provided(Run.train(options)))
})

describe("a run that has finished", () => {
  it.live("continues with more updates, to the bits of a run of that length", () =>
    Effect.gen(function* () {
      const directory = copy()
      const { events, onEvent } = recorded()
      const longer = yield* provided(Run.resume(directory, { overrides: ["training.max_steps=8"], onEvent }))
      expect(events.find(({ _tag }) => _tag === "Started")).toMatchObject({ fromStep: 4, totalSteps: 8 })
      expect(longer.state).toMatchObject({ step: 8, finished: "completed" })
      const atOnce = yield* provided(Run.train({ ...options, training: { ...training, max_steps: 8 } }))
      expect(weightsOf(longer.checkpoint) === weightsOf(atOnce.checkpoint)).toBe(true)
      const metrics = (run: string) =>
        readFileSync(join(run, "metrics.ndjson"), "utf8").replaceAll(/"time":\{.*?\}/g, "")
      expect(metrics(directory)).toBe(metrics(atOnce.directory))

      // The config is that of the longer run; the one before it is kept.
      expect(readFileSync(join(directory, "config.yaml"), "utf8")).toBe(readFileSync(atOnce.configFile, "utf8"))
      expect(readFileSync(join(directory, "config-00000004.yaml"), "utf8")).toBe(
        readFileSync(finished.configFile, "utf8")
      )
      expect(record(directory)).toMatchObject({ updates: 8, history: [] })
      // It is resumed by its new config, and has nothing to do.
      expect((yield* provided(Run.resume(directory))).state).toEqual(longer.state)
    })
  )

  it.live("is extended in code and by epochs", () =>
    Effect.gen(function* () {
      const directory = copy()
      const longer = yield* provided(Run.resume(directory, { training: { max_steps: 6, eval_steps: 1 } }))
      expect(longer.state).toMatchObject({ step: 6, finished: "completed" })
      const { events, onEvent } = recorded()
      const overrides = ["~training.max_steps", "training.epochs=0.2"]
      const last = yield* provided(Run.resume(directory, { overrides, onEvent }))
      const started = events.find((event) => event._tag === "Started")
      expect(started).toMatchObject({ fromStep: 6, totalSteps: Math.round(0.2 * (started?.stepsPerEpoch ?? 0)) })
      expect(last.state).toMatchObject({ step: started?.totalSteps, finished: "completed" })
      expect(readdirSync(directory).filter((name) => name.startsWith("config"))).toEqual([
        "config-00000004.yaml",
        "config-00000006.yaml",
        "config.yaml"
      ])
    })
  )

  it.live("continues after an early stop, with as much patience as at first", () =>
    Effect.gen(function* () {
      // A rate this small changes nothing, so no evaluation is better than the first.
      const patient = { ...training, lr: 1e-30, eval_steps: 1, early_stopping_patience: 2 }
      const run = yield* provided(Run.train({ ...options, training: { ...patient, max_steps: 9 } }))
      expect(run.state).toMatchObject({ step: 3, finished: "early_stop", best: { step: 1 }, sinceBest: 2 })
      expect((yield* provided(Run.resume(run.directory))).state).toEqual(run.state)
      const longer = yield* provided(Run.resume(run.directory, { overrides: ["training.max_steps=20"] }))
      expect(longer.state).toMatchObject({ step: 5, finished: "early_stop", best: { step: 1 }, sinceBest: 2 })
      const patience = yield* provided(
        Run.resume(run.directory, { overrides: ["training.early_stopping_patience=3", "training.max_steps=7"] })
      )
      expect(patience.state).toMatchObject({ step: 7, finished: "completed" })
    })
  )

  it.live("takes other settings of evaluation, saving and tracking without an update", () =>
    Effect.gen(function* () {
      const directory = copy()
      const { events, onEvent } = recorded()
      const overrides = ["training.save_total_limit=5", "evaluation.batch_size=2", "generation.seed=3"]
      const run = yield* provided(Run.resume(directory, { overrides, onEvent }))
      expect(events).toEqual([])
      expect(run.state).toEqual(finished.state)
      expect(run.config).toMatchObject({ training: { save_total_limit: 5 }, evaluation: { batch_size: 2 } })
      expect(readFileSync(run.configFile, "utf8")).toContain("save_total_limit: 5\n")
    })
  )

  it.live("refuses what would change its weights, and names all of it with the way on", () =>
    Effect.gen(function* () {
      const directory = copy()
      const overrides = ["training.max_steps=8", "training.lr=0.5", "training.batch_size=4", "model.hidden_size=64"]
      const error = yield* Effect.flip(provided(Run.resume(directory, { overrides })))
      expect(error.message).toBe(
        `${directory}: this run was made with another config: model.hidden_size (32 there, 64 here), ` +
          "training.lr (0.01 there, 0.5 here), training.batch_size (2 there, 4 here). A run that is resumed cannot change these keys; " +
          "it can change its length (training.max_steps, training.epochs), how it is evaluated, saved, tracked and logged, and where " +
          `its data is. Resume it without the change, or start a new run from its weights: codex train --from ${directory} …`
      )
      const short = yield* Effect.flip(provided(Run.resume(directory, { overrides: ["training.max_steps=3"] })))
      expect(short.message).toContain("training.max_steps: the run has done 4 updates, which is more than 3.")
      expect(readdirSync(directory).filter((name) => name.startsWith("config"))).toEqual(["config.yaml"])
    })
  )
})

describe("a run from the weights of another one", () => {
  const from = (given: object) =>
    Run.train({ ...options, training: { ...training, max_steps: 1 }, from: finished.directory, ...given })

  it.live("starts with its parameters and a new optimizer, and records where they are from", () =>
    Effect.gen(function* () {
      const { events, onEvent } = recorded()
      const still = yield* provided(from({ training: { ...training, max_steps: 1, lr: 1e-12 }, onEvent }))
      expect(events.find(({ _tag }) => _tag === "Started")).toMatchObject({ fromStep: 0, totalSteps: 1 })
      const before = yield* provided(
        Effect.flatMap(Run.open(finished.directory), (run) => run.evaluate({ metrics: ["loss"] }))
      )
      const after = yield* provided(
        Effect.flatMap(Run.open(still.directory), (run) => run.evaluate({ metrics: ["loss"] }))
      )
      expect(after.loss.value).toBeCloseTo(before.loss.value, 4)
      expect(still.config.from).toBe(finished.directory)
      const { provenance } = JSON.parse(readFileSync(join(still.checkpoint, "manifest.json"), "utf8"))
      expect(provenance.from).toBe(finished.directory)
      const { history } = record(still.directory)
      const { fingerprint } = record(finished.directory)
      expect(history).toMatchObject([{ step: finished.state.best?.step, before: { fingerprint } }])
      expect(history[0].from).toMatch(/checkpoints\/step-/)
    })
  )

  it.live("does not call text held out that the other one was trained on", () =>
    Effect.gen(function* () {
      const other = yield* provided(from({ data: { name: "memory", documents, validation: { every: 3 } } }))
      expect(other.state.best).toBe(null)
      const error = yield* Effect.flip(provided(Effect.flatMap(Run.open(other.directory), (run) => run.evaluate())))
      expect(error.message).toMatch(/documents\[\d+\] was trained on before the start from \S+\. Name other text/)
      const fresh = documents.map((document) => document.toUpperCase())
      const elsewhere = yield* provided(from({ data: fresh }))
      expect(elsewhere.state.best).not.toBe(null)
    })
  )

  it.live("needs a model of the same shapes, and the same tokenizer", () =>
    Effect.gen(function* () {
      const wide = yield* Effect.flip(provided(from({ overrides: ["model.hidden_size=64"] })))
      expect(wide.message).toMatch(/^The weights to start from: Parameter \S+ has the shape \[.*\] instead of \[.*\]\./)
      const missing = yield* Effect.flip(provided(from({ from: at("nowhere") })))
      expect(missing.message).toContain("There is no run here")
    })
  )
})

describe("a tokenizer that is trained again", () => {
  const tokenizer = { name: "bpe", train: { vocab_size: 280 } }
  const short = { ...options, training: { ...training, max_steps: 1 } }
  it.live("is refused by the run, by its evaluation and by a run from its weights", () =>
    Effect.gen(function* () {
      const own = yield* provided(Run.train({ ...short, tokenizer }))
      const path = at("tokenizer")
      cpSync(own.tokenizerDirectory, path, { recursive: true })
      const shared = yield* provided(Run.train({ ...short, tokenizer: { name: "bpe", path } }))
      // The tokenizer of a run from the weights of another one is not trained again, although its text is another.
      const child = yield* provided(
        Run.train({ ...short, tokenizer, from: own.directory, data: documents.map((line) => line.toUpperCase()) })
      )
      expect(child.tokenizer.files).toEqual(own.tokenizer.files)

      const other = yield* provided(
        Run.train({ ...short, tokenizer, data: documents.map((line) => [...line].reverse().join("")) })
      )
      expect(other.tokenizer.files).not.toEqual(own.tokenizer.files)
      rmSync(path, { recursive: true })
      cpSync(other.tokenizerDirectory, path, { recursive: true })
      const words =
        /^\S+: the tokenizer is not the one that these weights were trained with \(it was trained again, or replaced\)/
      const overrides = ["training.max_steps=6"]
      expect((yield* Effect.flip(provided(Run.resume(shared.directory, { overrides })))).message).toMatch(words)
      expect((yield* Effect.flip(provided(Run.open(shared.directory)))).message).toMatch(words)
      const from = Run.train({ ...short, tokenizer: { name: "bpe", path }, from: own.directory })
      expect((yield* Effect.flip(provided(from))).message).toMatch(words)
      rmSync(own.tokenizerDirectory, { recursive: true })
      cpSync(other.tokenizerDirectory, own.tokenizerDirectory, { recursive: true })
      expect((yield* Effect.flip(provided(Run.resume(own.directory, { overrides })))).message).toMatch(words)
    })
  )
})
