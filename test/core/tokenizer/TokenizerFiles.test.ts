/**
 * Reading and writing tokenizer.json. Oracles: messages written down beforehand, the native package reading what is written,
 * and files of before 2021, whose models do not say what they are.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Tokenizer as Native } from "tokenizers"
import { parse, render } from "../../../src/core/tokenizer/TokenizerFiles.ts"
import { words } from "./native.ts"

const model = '"model":{"type":"BPE","vocab":{},"merges":[]}'

describe("parse", () => {
  it.effect.each([
    ["", "t.json: is empty. "],
    [" \n", "t.json: is empty. "],
    ["{", "t.json: is not JSON ("],
    ["[]", "t.json: is not a JSON object, as in a tokenizer.json. "],
    ["null", "t.json: is not a JSON object, as in a tokenizer.json. "],
    ["{}", "t.json: model is not a JSON object, as in a tokenizer.json. "],
    [
      '{"model":{"type":"X"}}',
      't.json: model.type Expected "BPE" | "WordPiece" | "WordLevel" | "Unigram", actual "X". '
    ],
    ['{"model":{"type":"BPE","vocab":{},"merges":{}}}', "t.json: model.merges Expected an array, actual {}. "],
    [`{${model},"normalizer":{"type":"Foo"}}`, "t.json: normalizer.type Expected "],
    [`{${model},"added_tokens":[{"id":"x","content":"a"}]}`, 't.json: added_tokens.0.id Expected number, actual "x". ']
  ] as const)("says what is wrong with %s", ([text, message]) =>
    Effect.map(Effect.flip(parse(text, "t.json")), (error) => {
      expect(error.message.startsWith(message)).toBe(true)
      expect(error.message).toContain("save it again")
    })
  )

  it.effect.each([
    ['{"vocab":{"a":0},"merges":[]}', "BPE"],
    ['{"vocab":[["a",-1]],"unk_id":0}', "Unigram"],
    ['{"vocab":{"a":0},"continuing_subword_prefix":"##"}', "WordPiece"],
    ['{"vocab":{"a":0}}', "WordLevel"]
  ] as const)("knows the model %s by its keys", ([text, type]) =>
    Effect.map(parse(`\uFEFF{"model":${text}}`, "t.json"), (definition) => expect(definition.model.type).toBe(type))
  )
})

describe("render", () => {
  it.effect("writes what parse reads, the same bytes each time, and the native package opens it", () =>
    Effect.gen(function* () {
      const text = render(words)
      const again = yield* parse(text, "t.json")
      expect(again).toEqual(words)
      expect(render(again)).toBe(text)
      expect(text.endsWith("}\n")).toBe(true)
      const { added_tokens, model, ...others } = words
      expect(render({ model, ...others, added_tokens })).toBe(text)
      expect(Native.fromString(text).tokenToId("b")).toBe(5)
    })
  )
})
