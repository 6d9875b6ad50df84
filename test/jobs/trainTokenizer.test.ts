/**
 * The job that trains tokenizers, on real files with a trainer whose vocabulary can be computed by hand. Oracles: the
 * words counted here, `sha256` of Node, the bytes of a second run. Needs the file system.
 */
import { createHash } from "node:crypto"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { afterAll, describe, expect, layer } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import { version } from "../../src/core/Version.ts"
import { openTokenizer } from "../../src/jobs/tokenizers/openTokenizer.ts"
import { planTokenizer, type TrainTokenizerOptions, trainTokenizer } from "../../src/jobs/tokenizers/trainTokenizer.ts"
import * as Toy from "./toy.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-train-tokenizer-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const at = (name: string) => join(folder, name)
const write = (name: string, content: string) => {
  mkdirSync(dirname(at(name)), { recursive: true })
  writeFileSync(at(name), content)
}
const sha256 = (content: string | Buffer) => createHash("sha256").update(content).digest("hex")
const filesOf = (name: string) =>
  Object.fromEntries(
    readdirSync(at(name), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const path = join(entry.parentPath, entry.name)
        return [path.slice(at(name).length + 1), readFileSync(path, "utf8")]
      })
  )

const first = "call me call me call\n"
const second = "me Ishmael some years\n"
const rows = [{ body: "years ago" }, { body: "never mind" }]
write("texts/b2.txt", first)
write("texts/b10.txt", second)
write("rows.jsonl", rows.map((row) => `${JSON.stringify(row)}\n`).join(""))

const base: TrainTokenizerOptions = {
  algorithm: "toy",
  sizes: [6],
  data: { paths: [at("texts"), at("rows.jsonl")], field: "body" },
  out: at("out")
}
const text: TrainTokenizerOptions = { ...base, data: { paths: [at("texts/b2.txt"), at("texts/b10.txt")] } }
const train = (options: Partial<TrainTokenizerOptions> & { readonly from?: TrainTokenizerOptions }) =>
  Effect.scoped(trainTokenizer({ ...(options.from ?? text), ...options }))
/** The warnings that are logged. */
const warningsOf = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const warnings: Array<string> = []
  const logger = Logger.make(({ message }) => warnings.push([message].flat().join(" ")))
  return Effect.as(Effect.provide(effect, Logger.replace(Logger.defaultLogger, logger)), warnings)
}
const asideOf = (directory: string) => readdirSync(directory).find((name) => /^manifest\..+\.json$/.test(name)) ?? ""
const message = (options: Parameters<typeof train>[0]) =>
  Effect.map(Effect.flip(train(options)), (error) => error.message.replaceAll(`${folder}/`, ""))

layer(Toy.layer)("trainTokenizer", (it) => {
  it.effect("writes a Hugging Face folder, and a manifest that says where it came from", () =>
    Effect.gen(function* () {
      const from = { ...base, data: { paths: [at("texts/*.txt"), at("rows.jsonl")], field: "body" } }
      const { trained } = yield* train({ from, out: at("a/b/out") })
      const files = filesOf("a/b/out")
      expect(Object.keys(files).sort()).toEqual([
        "manifest.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json"
      ])
      const tokenizer = JSON.parse(files["tokenizer.json"] ?? "")
      // call 3, me 3, years 2, then one each, of which Ishmael comes first.
      expect(tokenizer.model.vocab).toEqual({ "<unk>": 0, "</s>": 1, call: 2, me: 3, years: 4, Ishmael: 5 })
      expect(JSON.parse(files["special_tokens_map.json"] ?? "")).toMatchObject({
        eos_token: "</s>",
        unk_token: "<unk>"
      })
      const input = (name: string) => {
        const content = readFileSync(at(name))
        return { path: at(name), bytes: content.length, sha256: sha256(content) }
      }
      expect(JSON.parse(files["manifest.json"] ?? "")).toEqual({
        format: 1,
        algorithm: "toy",
        settings: { vocab_size: 6, min_frequency: 1, normalizer: [], special_tokens: ["</s>"] },
        data: { files: [input("rows.jsonl"), input("texts/b2.txt"), input("texts/b10.txt")], field: "body" },
        versions: { codex: version, node: process.versions.node, unicode: process.versions.unicode },
        tokenizer: { file: "tokenizer.json", sha256: sha256(files["tokenizer.json"] ?? ""), vocabulary_size: 6 },
        statistics: {
          documents: 4,
          bytes: first.length + second.length + 9 + 10,
          characters: first.length + second.length + 9 + 10,
          tokens: 13,
          bytes_per_token: 62 / 13,
          unknown_tokens: 4,
          unknown_rate: 4 / 13,
          used_tokens: 4,
          coverage: 1,
          // With the space that decoding writes before a word.
          longest_tokens: [
            { id: 5, token: "Ishmael", bytes: 8 },
            { id: 4, token: "years", bytes: 6 },
            { id: 2, token: "call", bytes: 5 },
            { id: 3, token: "me", bytes: 3 }
          ],
          round_trip_faults: 4,
          first_faults: expect.any(Array)
        }
      })
      expect(trained[0]?.statistics?.tokens).toBe(13)
      const { plugin, tokenizer: opened } = yield* openTokenizer(at("a/b/out"))
      expect([plugin, [...opened.encode("years me x")]]).toEqual(["huggingface", [4, 3, 0]])
    }).pipe(Effect.scoped)
  )

  it.effect("gives the same bytes again, whatever the order of the files", () =>
    Effect.gen(function* () {
      yield* train({ out: at("again") })
      const before = filesOf("again")
      yield* train({ out: at("again") })
      expect(filesOf("again")).toEqual(before)
      yield* train({
        out: at("again"),
        data: { paths: [at("texts/b10.txt"), at("texts/b2.txt"), at("texts/b10.txt")] }
      })
      expect(filesOf("again")).toEqual(before)
    })
  )

  it.effect("trains several sizes at once, each as if alone", () =>
    Effect.gen(function* () {
      const { trained } = yield* train({ sizes: [4, 7, 4], out: at("sizes") })
      expect(trained.map(({ target, vocabularySize }) => [target.directory, vocabularySize])).toEqual([
        [at("sizes/4"), 4],
        [at("sizes/7"), 7]
      ])
      for (const size of [4, 7]) {
        yield* train({ sizes: [size], out: at(`alone${size}`) })
        expect(filesOf(`sizes/${size}`)).toEqual(filesOf(`alone${size}`))
      }
    })
  )

  it.effect("refuses to replace a tokenizer that was made otherwise, and says what changes", () =>
    Effect.gen(function* () {
      yield* train({ out: at("kept") })
      const before = filesOf("kept")
      const refusal = (changes: string) =>
        `kept: there is another tokenizer in this directory. ${changes}: token ids change; ` +
        "a model trained with the old tokenizer cannot use the new one. Choose another --out, or replace it with --force."
      expect(yield* message({ out: at("kept"), settings: { normalizer: ["nfkc"] } })).toBe(
        refusal("normalizer: [] → [nfkc]")
      )
      expect(yield* message({ out: at("kept"), sizes: [5], settings: { min_frequency: 2 } })).toBe(
        refusal("vocab_size: 6 → 5, min_frequency: 1 → 2")
      )
      expect(yield* message({ out: at("kept"), data: { paths: [at("texts/b2.txt")] }, sizes: [4] })).toBe(
        refusal("vocab_size: 6 → 4, data: 2 files (43 B) → 1 file (21 B)")
      )
      write("other/b2.txt", first.replace("me", "it"))
      expect(yield* message({ out: at("kept"), data: { paths: [at("other"), at("texts/b10.txt")] } })).toBe(
        refusal("data: 2 files (43 B), with other content")
      )
      expect(filesOf("kept")).toEqual(before)
      const { plan } = yield* train({ out: at("kept"), settings: { normalizer: ["nfkc"] }, force: true })
      expect(plan.targets[0].changes).toEqual(["normalizer: [] → [nfkc]"])
      expect(JSON.parse(filesOf("kept")["tokenizer.json"] ?? "").normalizer.normalizers).toEqual([{ type: "NFKC" }])
    })
  )

  it.effect("refuses files that nothing explains, and a tokenizer that was changed by hand", () =>
    Effect.gen(function* () {
      write("hand/tokenizer.json", "{}")
      expect(yield* message({ out: at("hand") })).toBe(
        "hand: there is another tokenizer.json in this directory. Choose another --out, or replace it with --force."
      )
      yield* train({ out: at("hand"), force: true })
      write("hand/tokenizer.json", filesOf("hand")["tokenizer.json"]?.replace("Ishmael", "Ishmaels") ?? "")
      expect(yield* message({ out: at("hand") })).toContain("hand: there is another tokenizer.json in this directory.")
    })
  )

  for (const [what, content] of [
    ["ends early", '{"format":1,"algorithm":'],
    ["is of another program", '{"name":"app","icons":[]}'],
    ["has a number that JSON could not hold", '{"format":1,"data":{"files":[{"bytes":null}]}}']
  ] as const) {
    it.effect(`sets a manifest aside that ${what}, names it, and trains`, () =>
      Effect.gen(function* () {
        const directory = mkdtempSync(at("damaged-"))
        yield* train({ out: directory })
        const before = filesOf(basename(directory))
        writeFileSync(join(directory, "manifest.json"), content)
        const { unreadable } = (yield* Effect.scoped(planTokenizer({ ...text, out: directory }))).targets[0]
        expect(unreadable?.message).toBe(
          `${directory}/manifest.json could not be read: it is not a manifest of a trained tokenizer. ` +
            "Remove it if no other program needs it."
        )
        const warnings = yield* warningsOf(train({ out: directory }))
        const { [asideOf(directory)]: aside, ...after } = filesOf(basename(directory))
        expect(after).toEqual(before)
        expect(aside).toBe(content)
        expect(warnings).toEqual([
          `${directory}/manifest.json could not be read: it is not a manifest of a trained tokenizer. ` +
            `It is now ${directory}/${asideOf(directory)}, and a new manifest begins.`
        ])
      })
    )
  }

  it.effect("keeps another tokenizer beside a manifest that cannot be read, and names the manifest", () =>
    Effect.gen(function* () {
      yield* train({ out: at("unexplained"), sizes: [4] })
      write("unexplained/manifest.json", "{")
      const before = filesOf("unexplained")
      const warnings = yield* warningsOf(Effect.flip(train({ out: at("unexplained") })))
      expect(warnings).toHaveLength(1)
      expect(warnings[0]).toContain("unexplained/manifest.json could not be read")
      expect(filesOf("unexplained")).toEqual(before)
    })
  )

  it.effect("leaves other files of the folder alone", () =>
    Effect.gen(function* () {
      write("mine/notes.md", "mine")
      write("mine/sub/deep.txt", "mine too")
      yield* train({ out: at("mine") })
      yield* train({ out: at("mine"), sizes: [5], force: true })
      expect(filesOf("mine")).toMatchObject({ "notes.md": "mine", "sub/deep.txt": "mine too" })
      expect(Object.keys(filesOf("mine"))).toHaveLength(6)
      write("plain.txt", "a file")
      expect(yield* message({ out: at("plain.txt") })).toMatch(
        /^plain\.txt could not be written: \S+ is not a directory\. /
      )
      expect(yield* message({ out: at("plain.txt/deep") })).toMatch(/^plain\.txt\/deep could not be written: /)
    })
  )

  it.effect("leaves nothing behind when it fails or is interrupted", () =>
    Effect.gen(function* () {
      mkdirSync(at("empty"))
      expect(yield* message({ out: at("empty/x"), sizes: [3, 900] })).toBe(
        "A vocabulary of 900 is larger than the text allows. Set it to 7 or less."
      )
      expect(readdirSync(at("empty"))).toEqual([])
      const begun = yield* Deferred.make<void>()
      const onProgress = () => Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)
      const waiting = yield* Effect.fork(train({ out: at("empty/x"), onProgress }))
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(waiting)
      expect(readdirSync(at("empty"))).toEqual([])
    }).pipe(Effect.withClock(Clock.make()))
  )

  it.effect("plans without writing, and reports what is there", () =>
    Effect.gen(function* () {
      const plan = Effect.scoped(planTokenizer({ ...text, sizes: [4, 6], out: at("planned") }))
      const before = yield* plan
      expect(before.targets).toMatchObject([
        { directory: at("planned/4"), present: [], same: false },
        { directory: at("planned/6"), present: [], same: false }
      ])
      expect(before.settings).toMatchObject({ min_frequency: 1, normalizer: [] })
      expect(readdirSync(folder)).not.toContain("planned")
      yield* train({ sizes: [6], out: at("planned/6") })
      yield* train({ sizes: [6], out: at("planned/4") })
      expect((yield* plan).targets).toMatchObject([
        { present: { length: 4 }, same: false, changes: ["vocab_size: 6 → 4"] },
        { present: { length: 4 }, same: true, changes: undefined }
      ])
    })
  )

  it.effect("takes texts of a dataset plugin, with its fingerprint", () =>
    Effect.gen(function* () {
      const dataset = { name: "ndjson", paths: at("rows.jsonl"), field: "body" }
      yield* train({ data: { dataset }, out: at("dataset") })
      const manifest = JSON.parse(filesOf("dataset")["manifest.json"] ?? "")
      expect(manifest.data).toEqual({ files: [], dataset, fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) })
      expect(manifest.statistics.documents).toBe(2)
    })
  )
})

describe("texts that cannot be meant", () => {
  layer(Toy.layer)((it) => {
    it.effect.each([
      [{ paths: [] }, /^There is nothing to train on\. /],
      [
        { paths: [at("texts")], field: "x" },
        /^texts: the directory has no \.ndjson or \.jsonl file in it or below it\./
      ],
      [
        { paths: [at("texts/b2.txt")], field: "x" },
        /^The field "x" is not used: none of the files has fields \(\*\.ndjson, \*\.jsonl\)\. Remove it/
      ],
      [{ paths: [at("rows.jsonl")] }, /^rows\.jsonl:1: the object has no field "text"\. .* this one has body\.$/],
      [{ dataset: { name: "txt", paths: "x" } }, /^Unknown dataset "txt"\. Did you mean text\?/]
    ] as const)("%j", ([data, expected]) =>
      Effect.map(message({ data, out: at("never") }), (found) => {
        expect(found).toMatch(expected)
        expect(readdirSync(folder)).not.toContain("never")
      })
    )
  })
})
