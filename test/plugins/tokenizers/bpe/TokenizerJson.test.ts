/**
 * Reading tokenizer.json: files of the shape of GPT-2's are taken, everything else is refused by key. Oracles: the format's
 * variants as Hugging Face wrote them over the years, and the messages as written down beforehand. Needs nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ByteAlphabet from "../../../../src/core/tokenizer/ByteAlphabet.ts"
import * as ByteLevel from "../../../../src/plugins/tokenizers/bpe/ByteLevel.ts"
import * as TokenizerJson from "../../../../src/plugins/tokenizers/bpe/TokenizerJson.ts"

const bytes = Object.fromEntries(ByteAlphabet.byteToCharacter.map((character, byte) => [character, byte]))

/** GPT-2's file as it was published: no model type, merges as strings, a prefix space where it does not matter. */
const gpt2 = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [
    {
      id: 258,
      special: true,
      content: "<|endoftext|>",
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: true
    }
  ],
  normalizer: null,
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true },
  post_processor: { type: "ByteLevel", add_prefix_space: true, trim_offsets: false },
  decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true },
  model: {
    dropout: null,
    unk_token: "<|endoftext|>",
    continuing_subword_prefix: "",
    end_of_word_suffix: "",
    fuse_unk: false,
    vocab: { ...bytes, Ġt: 256, Ġth: 257, "<|endoftext|>": 258 },
    merges: ["Ġ t", "Ġt h"]
  }
}

const parse = (json: unknown) => TokenizerJson.parse(JSON.stringify(json), "x/tokenizer.json")
const refusal = (json: unknown) => Effect.map(Effect.flip(parse(json)), (error) => error.message)
const withModel = (model: object) => ({ ...gpt2, model: { ...gpt2.model, ...model } })
const withVocab = (vocab: object) => withModel({ vocab: { ...gpt2.model.vocab, ...vocab } })

describe("tokenizer.json", () => {
  it.effect("of GPT-2's shape is read, with merges as strings or as pairs", () =>
    Effect.gen(function* () {
      const strings = yield* parse(gpt2)
      const pairs = yield* parse(
        withModel({
          type: "BPE",
          merges: [
            ["Ġ", "t"],
            ["Ġt", "h"]
          ]
        })
      )
      expect(pairs).toEqual(strings)
      const tokenizer = ByteLevel.makeTokenizer(strings)
      expect(Array.from(tokenizer.encode("a the t"))).toEqual([0x61, 257, 0x65, 256])
      expect([tokenizer.vocabularySize, tokenizer.endOfText, tokenizer.token(257)]).toEqual([259, 258, "Ġth"])
    })
  )

  it.effect("is rendered so that it reads back as the same vocabulary, also with odd names", () =>
    Effect.gen(function* () {
      const entries = [...Object.entries(bytes), ["__", 256], ["__proto__", 257], ["12", 258]]
      const merges = [
        ["_", "_"],
        ["1", "2"]
      ]
      const model = { ...gpt2.model, vocab: Object.fromEntries(entries), merges }
      const vocabulary = yield* parse({ ...gpt2, added_tokens: [], model })
      expect(vocabulary.tokens.slice(256)).toEqual(["__", "__proto__", "12"])
      expect(yield* TokenizerJson.parse(TokenizerJson.render(vocabulary), "x")).toEqual(vocabulary)
    })
  )

  it.effect("of another algorithm or with another setting is refused by key", () =>
    Effect.gen(function* () {
      const unsupported = "This plugin reads byte-level BPE of the shape of GPT-2's tokenizer.json only."
      const cases: ReadonlyArray<readonly [unknown, string]> = [
        [withModel({ type: "WordPiece", merges: undefined }), 'model.type Expected "BPE", actual "WordPiece".'],
        [{ ...gpt2, pre_tokenizer: null }, "pre_tokenizer Expected"],
        [
          { ...gpt2, pre_tokenizer: { type: "ByteLevel", add_prefix_space: true } },
          "pre_tokenizer.add_prefix_space Expected false, actual true."
        ],
        [{ ...gpt2, normalizer: { type: "NFC" } }, "normalizer Expected null"],
        [withModel({ ignore_merges: true }), "model.ignore_merges Expected false, actual true."],
        [
          { ...gpt2, added_tokens: [{ id: 258, content: "<b>", special: false }] },
          "added_tokens.0.special Expected true, actual false."
        ],
        [{}, "pre_tokenizer is missing."]
      ]
      for (const [json, expected] of cases) {
        const message = yield* refusal(json)
        expect(message).toContain(`x/tokenizer.json: ${expected}`)
        expect(message).toContain(unsupported)
      }
    })
  )

  it.effect("that contradicts itself is refused by entry", () =>
    Effect.gen(function* () {
      const withoutByte = Object.fromEntries(Object.entries(gpt2.model.vocab).filter(([token]) => token !== "!"))
      const cases: ReadonlyArray<readonly [unknown, string]> = [
        [withModel({ merges: ["Ġ t", "Ġt x"] }), 'model.merges[1] needs the token "Ġtx", which is not in model.vocab.'],
        [withModel({ merges: ["Ġ t", 7] }), "model.merges[1] is 7, not a pair of tokens."],
        [withModel({ merges: ["Ġ t h"] }), 'model.merges[0] is "Ġ t h", not a pair of tokens.'],
        [withVocab({ Ġt: 1.5 }), 'model.vocab["Ġt"] is 1.5, not an id.'],
        [withVocab({ Ġt: 9_000_000 }), 'model.vocab["Ġt"] is 9000000, but there are 260 tokens, so ids end at 259.'],
        [withVocab({ Ġt: 257 }), 'model.vocab["Ġth"] is 257, which is the id of "Ġt" too.'],
        [withVocab({ 日: 259 }), 'model.vocab["日"] is no token of byte-level characters.'],
        [withVocab({ "<|endoftext|>": 259 }), 'model.vocab["<|endoftext|>"] is 259, but added_tokens says 258.'],
        [
          withModel({ vocab: withoutByte }),
          "model.vocab has no token for byte 33, so that some texts could not be encoded."
        ]
      ]
      for (const [json, expected] of cases) {
        expect(yield* refusal(json)).toBe(
          `x/tokenizer.json: ${expected} The file is damaged or was not written by a tokenizer library: save the tokenizer again.`
        )
      }
    })
  )

  it.effect("that is not JSON is refused as a whole", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(TokenizerJson.parse('{"model":', "x/tokenizer.json"))
      expect(error.message).toMatch(/^x\/tokenizer\.json: is not JSON \(SyntaxError: .*\)\. The file is damaged/)
    })
  )
})
