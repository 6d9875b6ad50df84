/**
 * Generated texts on disk: the manifest with many writers, with content that cannot be used, and on a disk that refuses. Oracles:
 * the files, and the manifest read again as JSON. Needs no backend; generating is in Run.test.ts and test/cli/run.test.ts.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import { afterAll } from "vitest"
import { GenerationConfig } from "../../src/core/config/RunConfig.ts"
import { Dataset } from "../../src/core/Dataset.ts"
import * as RunGeneration from "../../src/jobs/RunGeneration.ts"
import { MemoryDataset } from "../../src/plugins/datasets/memory.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-texts-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const config = Schema.decodeSync(GenerationConfig)({ prompt: "To be" })
const generated = (text: string): RunGeneration.TextToSave => ({
  run: "runs/x",
  checkpoint: "runs/x/checkpoints/step-00000001",
  config,
  text,
  tokens: 2,
  finishReason: "length"
})

/** Saves a text, and returns its path with the warnings. */
const save = (text: string, directory: string) =>
  Effect.gen(function* () {
    const warnings: Array<string> = []
    const logger = Logger.make(({ message }) => warnings.push([message].flat().join(" ")))
    const path = yield* RunGeneration.saveText(generated(text), directory).pipe(
      Effect.provide(NodeContext.layer),
      Effect.provide(Logger.replace(Logger.defaultLogger, logger))
    )
    return { path, warnings }
  })

const textsOf = (directory: string): ReadonlyArray<{ readonly file: string }> =>
  JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8")).texts

describe("saveText", () => {
  it.live("keeps every entry of eight writers at once, equal texts too", () =>
    Effect.gen(function* () {
      const directory = join(folder, "eight")
      const texts = Array.from({ length: 8 }, (_, i) => `text ${Math.floor(i / 2)}`)
      const saved = yield* Effect.forEach(texts, (text) => save(text, directory), { concurrency: "unbounded" })
      expect(new Set(saved.map(({ path }) => path)).size).toBe(8)
      expect(
        textsOf(directory)
          .map(({ file }) => join(directory, file))
          .sort()
      ).toEqual(saved.map(({ path }) => path).sort())
      expect(textsOf(directory)[0]).toMatchObject({ tokens: 2, finish_reason: "length", config: { prompt: "To be" } })
      expect(readdirSync(directory)).toHaveLength(9)
    })
  )

  for (const [what, content] of [
    ["is empty", ""],
    ["ends early", '{"format":1,"texts":[{"file":'],
    ["is other JSON", "[]"],
    ["is of another format", '{"format":2,"texts":[]}'],
    ["has a number that JSON could not hold", '{"format":1,"texts":[{"tokens":null}]}'],
    ["is binary", Uint8Array.of(0, 255, 254, 10)]
  ] as const) {
    it.live(`sets a manifest aside that ${what}, and names it in one warning`, () =>
      Effect.gen(function* () {
        const directory = mkdtempSync(join(folder, "aside-"))
        writeFileSync(join(directory, "manifest.json"), content)
        const { path, warnings } = yield* save("text", directory)
        expect(textsOf(directory).map(({ file }) => join(directory, file))).toEqual([path])
        const aside = readdirSync(directory).filter((name) => /^manifest\.\d{8}-\d{9}\.json$/.test(name))
        expect(aside).toHaveLength(1)
        expect(readFileSync(join(directory, aside[0]!))).toEqual(Buffer.from(content))
        expect(warnings).toEqual([
          `${directory}/manifest.json could not be read: it is not a manifest of generated texts. ` +
            `It is now ${directory}/${aside[0]}, and a new manifest begins.`
        ])
        expect((yield* save("again", directory)).warnings).toEqual([])
      })
    )
  }

  it.live("fails with a path and a remedy where it cannot write", () =>
    Effect.gen(function* () {
      writeFileSync(join(folder, "file"), "")
      const error = yield* Effect.flip(save("text", join(folder, "file", "infer")))
      expect(error.message).toBe(
        `${folder}/file/infer could not be written: a part of the path is not a directory. Choose another path.`
      )
      const directory = join(folder, "manifest-is-directory")
      mkdirSync(join(directory, "manifest.json"), { recursive: true })
      expect((yield* save("text", directory)).warnings).toHaveLength(1)
    })
  )

  it.effect.prop(
    "writes settings as JSON without null, whatever numbers the schema accepts",
    { settings: GenerationConfig },
    ({ settings }) =>
      Effect.sync(() => {
        const text = JSON.stringify(Schema.encodeSync(GenerationConfig)(settings))
        expect(text).not.toContain("null")
        expect(Schema.decodeSync(GenerationConfig)(JSON.parse(text))).toEqual(settings)
      }),
    { fastCheck: { numRuns: 30 } }
  )
})

describe("promptOf", () => {
  const cases: ReadonlyArray<readonly [text: string, prompt: string]> = [
    ["Der alte Mann fuhr über das Meer.", "Der alte Mann"],
    ["\n\n  — “Où est-il?” dit-elle", "— “Où est-il"],
    ["老人与海,他是一个老人。", "老人与海"],
    ["# 3\nUnder one heading", "# 3"],
    [`costs \${5} now`, "costs"],
    ["***\n\n---\n", ""],
    ["😀 only", "😀 only"],
    [`${"x".repeat(100)} y`, "x".repeat(60)]
  ]
  for (const [text, prompt] of cases) {
    it.effect(`of ${JSON.stringify(text.slice(0, 40))} is ${JSON.stringify(prompt.slice(0, 20))}`, () =>
      Effect.gen(function* () {
        const held = MemoryDataset.layer({ documents: ["Call me Ishmael.", text], validation: { every: 2 } })
        const dataset = yield* Effect.provide(Dataset, held)
        expect(yield* RunGeneration.promptOf(dataset)).toBe(prompt === "" ? "Call me Ishmael" : prompt)
      })
    )
  }
})

describe("a number that is not finite", () => {
  const numbers = ["max_new_tokens", "temperature", "top_k", "top_p", "repetition_penalty", "seed"] as const
  it.effect.prop(
    "is refused in every setting of generation",
    [FastCheck.constantFrom(...numbers), FastCheck.constantFrom(Number.NaN, 1 / 0, -1 / 0, 1e39, -1)],
    ([key, value]) =>
      Effect.sync(() => {
        expect(Schema.is(GenerationConfig)({ ...config, [key]: value })).toBe(false)
      })
  )
})
