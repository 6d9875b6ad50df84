/**
 * The quickstart's own part: a config made for a long text is fitted to a short one.
 *
 * Oracles: the sizes of the text, computed by hand, and the run on disk. Needs the CPU.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { afterAll } from "vitest"
import * as Quickstart from "../../src/jobs/Quickstart.ts"
import * as Run from "../../src/jobs/Run.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-quickstart-test-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const documents = Array.from({ length: 20 }, (_, i) => `${i}: it sailed ${"away and ".repeat(i % 3)}back again.`)
const config = {
  data: { name: "memory", documents, validation: { every: 4 } },
  model: "tiny",
  tokenizer: { name: "bpe", train: { vocab_size: 4096 } },
  training: { max_steps: 10_000, batch_size: 64, save_steps: 50 },
  evaluation: { stride: 32 }
} as const

layer(Run.layer({ runs: join(folder, "runs"), device: "cpu", threads: 1 }), { excludeTestServices: true })(
  "a quickstart on a short text",
  (it) => {
    it.scoped("fits vocabulary, context, batch and length, and reports what changed", () =>
      Effect.gen(function* () {
        const composed = yield* Run.compose(config)
        const { changes, plan, tokenizer } = yield* Quickstart.fitToText(composed, () => Effect.void)
        const to = Object.fromEntries(changes.map(({ key, to }) => [key, to]))
        expect(changes.map(({ from, key }) => [key, from])).toEqual([
          ["tokenizer.train.vocab_size", 4096],
          ["model.max_position_embeddings", 32],
          ["evaluation.stride", 32],
          ["training.batch_size", 64],
          ["training.max_steps", 10_000]
        ])
        // A power of two that leaves eight windows or more, and a stride of half of it.
        const context = to["model.max_position_embeddings"]!
        expect(Math.log2(context) % 1).toBe(0)
        expect(context).toBeGreaterThanOrEqual(4)
        expect(to["evaluation.stride"]).toBe(context / 2)
        expect(to["training.max_steps"]).toBe(100)
        expect(plan.config.training).toMatchObject({ batch_size: to["training.batch_size"], max_steps: 100 })
        expect(plan.config.tokenizer.train).toEqual({ vocab_size: to["tokenizer.train.vocab_size"] })
        expect(Object.keys(tokenizer)).toContain("tokenizer.json")
        // The first words of the first document that is held out.
        expect(plan.config.generation.prompt).toBe("3: it sailed")
      })
    )

    it.scoped("trains with the tokenizer that it has trained, and resumes the same run", () =>
      Effect.gen(function* () {
        const composed = yield* Run.compose(config)
        let reported = 0
        const onChanges = (changes: ReadonlyArray<Quickstart.Change>) =>
          Effect.sync(() => {
            reported += changes.length
          })
        const run = yield* Quickstart.train(composed, { onChanges })
        expect(reported).toBe(5)
        expect(run.state).toMatchObject({ step: 100, finished: "completed" })
        expect(existsSync(join(run.tokenizerDirectory, "tokenizer.json"))).toBe(true)
        rmSync(run.checkpoint, { recursive: true })
        const resumed = yield* Quickstart.train(composed, { resume: true })
        expect(resumed.directory).toBe(run.directory)
        expect(resumed.state).toEqual(run.state)
      })
    )

    it.scoped("changes nothing of a config that fits", () =>
      Effect.gen(function* () {
        const training = { max_steps: 10, batch_size: 2, context_length: 8 }
        const composed = yield* Run.compose({ ...config, tokenizer: "byte", training, evaluation: {} })
        const { changes, tokenizer } = yield* Quickstart.fitToText(composed, () => Effect.void)
        expect([changes, tokenizer]).toEqual([[], {}])
        const given = yield* Run.compose({ ...config, tokenizer: "byte", training, generation: { prompt: "Once" } })
        expect((yield* Quickstart.fitToText(given, () => Effect.void)).plan.config.generation.prompt).toBe("Once")
      })
    )
  }
)
