/**
 * BERT's vocab.txt. Oracles: the native `tokenizers` package with the file that is saved, and ids by hand; the rules on mixed
 * text are compared in conformance.test.ts. Needs the file system.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Native from "tokenizers"
import { Tokenizer } from "../../../src/core/Tokenizer.ts"
import { BertTokenizer } from "../../../src/plugins/tokenizers/bert.ts"
import { hardTexts, tokenizerContract } from "../../../src/testing/tokenizer.ts"
import { errorOf, folderOf, namesBadFiles } from "./files.ts"

const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
const vocabulary = [...special, "call", "me", "ish", "##mael", ".", "É", "é", "e", "##e", "漢", "漢字", "##字", "Call"]

type Config = Omit<Parameters<typeof BertTokenizer.layer>[0], "path">

const bert = (config: Config = {}, files: { readonly [name: string]: string } = {}) =>
  Layer.unwrapScoped(
    Effect.map(folderOf({ "vocab.txt": `${vocabulary.join("\n")}\n`, ...files }), (path) =>
      BertTokenizer.layer({ path, ...config })
    )
  ).pipe(Layer.provide(NodeContext.layer))

const written = (text: string) =>
  Effect.map(Tokenizer, (tokenizer) => Array.from(tokenizer.encode(text), (id) => tokenizer.token(id)).join(" "))

tokenizerContract("bert", bert(), ["Call me Ishmael.", "É漢字"])

describe("bert", () => {
  it.effect("is in lower case, without accents, Chinese characters apart", () =>
    Effect.map(written("Call me ISHMAEL. É 漢字"), (tokens) =>
      expect(tokens).toBe("call me ish ##mael . e 漢 [UNK]")
    ).pipe(Effect.provide(bert()))
  )

  it.effect("follows the config, and before that the folder's tokenizer_config.json", () =>
    Effect.gen(function* () {
      const cased = { "tokenizer_config.json": JSON.stringify({ do_lower_case: false, tokenize_chinese_chars: false }) }
      expect(yield* Effect.provide(written("Call É 漢字"), bert({}, cased))).toBe("Call É 漢字")
      expect(yield* Effect.provide(written("Call É 漢字"), bert({ do_lower_case: true }, cased))).toBe("call e 漢字")
      expect(yield* Effect.provide(written("É"), bert({ strip_accents: false }))).toBe("é")
      expect(yield* Effect.provide(written("É"), bert({ do_lower_case: false, strip_accents: true }))).toBe("[UNK]")
    })
  )

  it.effect("puts [CLS] and [SEP] around one text and two", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      const { ids, typeIds } = yield* tokenizer.encoding(["call me", "me."])
      expect(Array.from(ids)).toEqual([2, 5, 6, 3, 6, 9, 3])
      expect(Array.from(typeIds)).toEqual([0, 0, 0, 0, 1, 1, 1])
      expect([tokenizer.unknownToken, tokenizer.padToken, tokenizer.endOfText]).toEqual([1, 0, 3])
    }).pipe(Effect.provide(bert()))
  )

  it.effect("saves a tokenizer.json with which the native package does the same", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      const native = Native.Tokenizer.fromString(tokenizer.files["tokenizer.json"] ?? "")
      for (const text of [...hardTexts, "Call me [MASK] Ishmael."].map((one) => one.toWellFormed())) {
        const theirs = yield* Effect.promise(() => native.encode(text))
        const ours = yield* tokenizer.encoding(text, { splitSpecialTokens: false })
        expect(Array.from(ours.ids)).toEqual(theirs.getIds())
        expect(yield* tokenizer.decode(theirs.getIds())).toBe(
          yield* Effect.promise(() => native.decode(theirs.getIds(), true))
        )
      }
      const config = JSON.parse(tokenizer.files["tokenizer_config.json"] ?? "")
      expect(config).toMatchObject({ unk_token: "[UNK]", cls_token: "[CLS]", mask_token: "[MASK]" })
    }).pipe(Effect.provide(bert()))
  )

  it.effect("takes other names of special tokens, and a line's number as its id", () =>
    Effect.gen(function* () {
      const path = yield* folderOf({ "vocab.txt": "<pad>\r\n\r\na\r\n<u>\r\n<s>\r\n" })
      const config = { unk_token: "<u>", sep_token: "<s>", cls_token: "<s>", pad_token: "<pad>" }
      const tokenizer = yield* Effect.provide(Tokenizer, BertTokenizer.layer({ path, ...config }))
      expect(Array.from(tokenizer.encode("a b"))).toEqual([2, 3])
      expect(Array.from((yield* tokenizer.encoding("a")).ids)).toEqual([4, 2, 4])
      expect(tokenizer.token(1)).toBe(undefined)
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
  )
})

const load = (path: string) => BertTokenizer.layer({ path })

namesBadFiles(load, "vocab.txt", { text: true })

it.effect("says which special token a vocabulary lacks", () =>
  Effect.map(errorOf(load, { "vocab.txt": "[PAD]\n[UNK]\n[CLS]\na\n" }), ({ message }) =>
    expect(message).toBe(
      "…/vocab.txt: has no line [SEP], which is the sep_token. Set sep_token to a token of the file."
    )
  )
)
