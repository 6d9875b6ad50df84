/**
 * Which dataset reads the files of `data.paths`. Oracle: the rule that the messages state. Needs the shipped configs, whose default
 * data is text.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { afterAll } from "vitest"
import * as Run from "../../src/jobs/Run.ts"

const refusal = (...overrides: ReadonlyArray<string>) =>
  Effect.flatMap(Run.compose({ config: "configs/config.yaml", overrides }), Run.plan).pipe(Effect.flip, Effect.scoped)

const nameOf = (data: Run.Data) =>
  Effect.map(
    Effect.flatMap(Run.compose({ data, model: "tiny", tokenizer: "byte" }), Run.plan),
    ({ config }) => config.data.name
  ).pipe(Effect.scoped)

/** A folder of text and of rows, which the pattern `*` does not tell apart. */
const folder = mkdtempSync(join(tmpdir(), "codex-data-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
for (const name of ["a.txt", "c.md"]) writeFileSync(join(folder, name), "To be, or not to be. ".repeat(100))
writeFileSync(join(folder, "b.jsonl"), '{"text": "To be"}\n')

layer(Run.layer({ runs: folder, device: "cpu", threads: 1 }), { excludeTestServices: true })(
  "a file that another dataset reads",
  (it) => {
    it.effect("is refused where the dataset is that of the default", () =>
      Effect.gen(function* () {
        for (const path of ["notes.jsonl", "a/b.ndjson", "notes/*.jsonl"]) {
          const error = yield* refusal(`data.paths='${path}'`)
          expect(error.message).toBe(
            `command line: data.paths: ${path} is a file of the dataset ndjson, and data.name is text. ` +
              "Add data.name=ndjson, or data.name=text to take the file as it is."
          )
        }
        expect((yield* refusal("data.paths=[a.txt, b.jsonl]")).message).toContain(
          "b.jsonl is a file of the dataset ndjson"
        )
      })
    )

    it.effect("is read by the dataset that is named beside it", () =>
      Effect.gen(function* () {
        for (const name of ["ndjson", "text"]) {
          const composed = yield* Run.compose({
            config: "configs/config.yaml",
            overrides: ["data.paths=notes.jsonl", `data.name=${name}`]
          })
          expect((yield* Effect.scoped(Run.plan(composed))).config.data.name).toBe(name)
        }
      })
    )

    it.effect("finds its dataset in code, unless files of two kinds are given", () =>
      Effect.gen(function* () {
        expect(yield* nameOf("notes.jsonl")).toBe("ndjson")
        expect(yield* nameOf("notes.md")).toBe("text")
        expect(yield* nameOf({ name: "text", paths: "notes.jsonl" })).toBe("text")
        expect((yield* Effect.flip(nameOf({ paths: ["a.txt", "b.jsonl"] }))).message).toBe(
          "data: a.txt is read by the dataset text, and b.jsonl by ndjson. Give files of one kind."
        )
      })
    )

    it.effect("is refused when a pattern without the ending finds it, unless the dataset is named", () =>
      Effect.gen(function* () {
        const parts = { model: "tiny", tokenizer: "byte", training: { batch_size: 1, context_length: 8 } } as const
        const config = "configs/config.yaml"
        const data = join(folder, "*")
        const refused =
          `${join(folder, "b.jsonl")} is a file of the dataset ndjson, and would be read by the dataset text. ` +
          `Give files of one kind, such as '${join(folder, "*.jsonl")}', ` +
          "or choose the dataset: data.name=text takes all files as they are."
        const dryRun = (options: Parameters<typeof Run.compose>[0]) =>
          Run.compose(options).pipe(Effect.flatMap(Run.plan), Effect.flatMap(Run.dryRun), Effect.scoped)
        const overrides = [`data.paths='${data}'`]
        for (const options of [
          { ...parts, config, overrides },
          { ...parts, data },
          { ...parts, data: { paths: [data] } }
        ]) {
          expect((yield* Effect.flip(dryRun(options))).message).toBe(`data.paths: ${refused}`)
        }
        const { prepared } = yield* dryRun({ ...parts, config, overrides: [...overrides, "data.name=text"] })
        expect(prepared).toMatchObject({ trainDocuments: 2, validationDocuments: 1 })
      })
    )
  }
)
