/**
 * Files made to fill the memory or the stack, one for each reader: nested deeper than a stack, numbers that would allocate gigabytes,
 * bytes that are counted many times. Configs are in test/core/config/limits.test.ts. Oracle: the messages, written down beforehand.
 */
import { mkdirSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Dataset } from "../../src/core/Dataset.ts"
import * as Json from "../../src/core/data/Json.ts"
import { Tokenizer } from "../../src/core/Tokenizer.ts"
import * as Safetensors from "../../src/core/tensor/Safetensors.ts"
import * as TokenizerJson from "../../src/core/tokenizer/TokenizerJson.ts"
import { CheckpointStore } from "../../src/core/training/Checkpoint.ts"
import { NdjsonDataset } from "../../src/plugins/datasets/ndjson.ts"
import { HuggingFaceTokenizer } from "../../src/plugins/tokenizers/huggingface.ts"
import { SentencePieceTokenizer } from "../../src/plugins/tokenizers/sentencepiece.ts"
import { FileError } from "../../src/services/files/FileError.ts"
import * as TextFile from "../../src/services/files/TextFile.ts"
import * as LogReader from "../../src/services/logs/LogReader.ts"
import { plainMetadata } from "../../src/services/logs/SessionEvent.ts"
import * as PluginLoader from "../../src/services/plugins/PluginLoader.ts"
import * as CheckpointStoreLive from "../../src/services/runs/CheckpointStore.ts"
import { folder } from "./readers.ts"

const DEEP = 200_000
const list = "[".repeat(DEEP) + "]".repeat(DEEP)
const map = `${'{"a":'.repeat(DEEP)}1${"}".repeat(DEEP)}`

describe("JSON", () => {
  it("is refused when it is deeper than what walks it may recurse", () => {
    for (const text of [list, map]) {
      expect(Json.parse(text)).toEqual(Either.left("has more than 100 objects and arrays inside each other"))
    }
    const [hundred, more] = [100, 101].map((depth) => "[".repeat(depth) + "]".repeat(depth))
    expect(Either.isRight(Json.parse(hundred!))).toBe(true)
    expect(Either.isLeft(Json.parse(more!))).toBe(true)
    expect(Json.parse('{"a": [1, "}"], "__proto__": null}')).toMatchObject({ right: { a: [1, "}"] } })
  })
})

describe("a safetensors file", () => {
  const file = (header: string, body = 0) => {
    const head = Buffer.alloc(8)
    head.writeBigUInt64LE(BigInt(Buffer.byteLength(header)))
    return Buffer.concat([head, Buffer.from(header), Buffer.alloc(body)])
  }
  const refusal = (bytes: Uint8Array) => Either.getOrThrow(Either.flip(Safetensors.decode(bytes))).message
  const entry = (from: number, to: number, shape: ReadonlyArray<number> = [(to - from) / 4]) =>
    `{"dtype":"F32","shape":${JSON.stringify(shape)},"data_offsets":[${from},${to}]}`

  it("has each byte in exactly one tensor", () => {
    expect(refusal(file(`{"a":${entry(0, 8)},"b":${entry(4, 12)}}`, 12))).toBe(
      'Not a valid safetensors file: tensor "b" begins at byte 4 instead of 8'
    )
    // Small files whose tensors would take gigabytes.
    const same = Array.from({ length: 1000 }, (_, i) => `"t${i}":${entry(0, 4000)}`)
    expect(refusal(file(`{${same.join(",")}}`, 4000))).toContain("begins at byte 0 instead of 4000")
    expect(refusal(file(`{"a":${entry(0, 4)},"b":${entry(8, 12)}}`, 12))).toContain('"b" begins at byte 8 instead of 4')
    expect(refusal(file(`{"a":${entry(0, 4)}}`, 8))).toContain("the tensors end at byte 4 of 8")
  })

  it("has a header within the file, and shapes that fit", () => {
    const huge = Buffer.alloc(16, 0xff)
    expect(refusal(huge)).toMatch(/the header has \d+ bytes, and the file only 16$/)
    expect(refusal(file(`{"a":${entry(0, 4, [2 ** 32, 2 ** 32])}}`, 4))).toContain(
      'tensor "a" is F32[4294967296, 4294967296] in 4 bytes'
    )
    expect(refusal(file(`{"a":${list}}`))).toContain("the header is not JSON that describes tensors")
    const many = refusal(file(`{"${"x".repeat(10_000)}":${entry(0, 8, new Array<number>(5000).fill(1))}}`, 8))
    expect(many.length).toBeLessThan(300)
  })

  it("does not lose a tensor silently, whatever its name", () => {
    expect(refusal(file(`{"__proto__":${entry(0, 4)}}`, 4))).toContain("the tensors end at byte 0 of 4")
    const { tensors } = Either.getOrThrow(Safetensors.decode(file(`{"toString":${entry(0, 4)}}`, 4)))
    expect(Object.keys(tensors)).toEqual(["toString"])
  })
})

describe("a tokenizer", () => {
  const model = { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] }
  const refusal = (
    name: string,
    content: string | Uint8Array,
    load: (path: string) => Layer.Layer<Tokenizer, unknown, NodeContext.NodeContext>
  ) =>
    Effect.gen(function* () {
      const path = join(yield* folder, name)
      writeFileSync(path, content)
      const error = yield* Effect.flip(Effect.provide(Tokenizer, load(path)))
      return error instanceof Error ? error.message.replace(path, name) : String(error)
    })
  const json = (content: unknown) =>
    refusal("tokenizer.json", typeof content === "string" ? content : JSON.stringify(content), (path) =>
      HuggingFaceTokenizer.layer({ path })
    )

  it.scoped("is refused for depth, for ids far beyond its tokens, and for texts that grow without end", () =>
    Effect.gen(function* () {
      const open = '{"type":"Sequence","normalizers":['
      const nested = `{"model":${JSON.stringify(model)},"normalizer":${open.repeat(DEEP)}${"]}".repeat(DEEP)}}`
      expect(yield* json(nested)).toMatch(/^tokenizer\.json: has more than 100 objects and arrays inside each other\./)
      for (const id of [2 ** 24, 2 ** 31, 2 ** 52]) {
        expect(yield* json({ model, added_tokens: [TokenizerJson.specialToken(id, "<s>")] })).toContain(
          `added_tokens[0].id is ${id}, more than ids may be.`
        )
      }
      const double = { type: "Replace", pattern: { String: "a" }, content: "aa" }
      const normalizers = new Array<unknown>(60).fill(double)
      expect(yield* json({ model, normalizer: { type: "Sequence", normalizers } })).toContain(
        "normalizer.normalizers makes a text more than 10000 times as long."
      )
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scoped("is refused for an empty token beside a tokenizer.json", () =>
    Effect.gen(function* () {
      const path = yield* folder
      writeFileSync(join(path, "tokenizer.json"), JSON.stringify({ model }))
      writeFileSync(join(path, "added_tokens.json"), '{"": 3}')
      const error = yield* Effect.flip(Effect.provide(Tokenizer, HuggingFaceTokenizer.layer({ path })))
      expect(String(error)).toContain("a token must not be empty")
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scoped("is refused for a SentencePiece model of nested groups", () =>
    Effect.gen(function* () {
      const groups = new Uint8Array(DEEP).fill(0x0b)
      expect(yield* refusal("x.model", groups, (path) => SentencePieceTokenizer.layer({ path }))).toMatch(
        /^x\.model: is not a SentencePiece model/
      )
    }).pipe(Effect.provide(NodeContext.layer))
  )
})

describe("NDJSON", () => {
  it.scoped("of a dataset is refused with its line", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "x.ndjson")
      writeFileSync(path, `{"text": "a"}\n{"text": "b", "c": ${map}}\n`)
      const documents = Effect.flatMap(Dataset, (dataset) => Stream.runDrain(dataset.documents("train")))
      const error = yield* Effect.flip(
        Effect.provide(documents, NdjsonDataset.layer({ paths: path, validation: { fraction: 0 } }))
      )
      expect(error.message.replace(path, "x.ndjson")).toMatch(
        /^x\.ndjson:2: has more than 100 objects and arrays inside each other\./
      )
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scoped("of a log is read around such a line, and metadata that deep is text", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "log.ndjson")
      const line = (message: string, metadata: string) => `{"ts":1,"message":"${message}","metadata":${metadata}}\n`
      writeFileSync(path, line("a", "{}") + line("b", map) + line("c", JSON.stringify(map)))
      const log = yield* LogReader.open({ path })
      const events = [...(yield* Stream.runCollect(log.events({})))]
      expect(events.map(({ message }) => message)).toEqual(["a", "c"])
      expect(events.map(({ metadata }) => typeof metadata)).toEqual(["object", "string"])
      const deep: { [key: string]: unknown } = {}
      let inner = deep
      for (let i = 0; i < 20_000; i++) inner = inner.a = {}
      expect(JSON.stringify(plainMetadata({ deep, n: 1 })).length).toBeLessThan(1_000_000)
      expect(plainMetadata({ n: 1 })).toEqual({ n: 1 })
    }).pipe(Effect.provide(NodeContext.layer))
  )
})

describe("a manifest", () => {
  it.scoped("is refused for its size before it is read", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = join(yield* folder, "manifest.json")
      writeFileSync(path, "{}")
      expect(yield* TextFile.read(fs, path)).toBe("{}")
      // A file with a hole, which takes no space.
      truncateSync(path, 2 ** 40)
      const error = FileError.from(path, "read")(yield* Effect.flip(TextFile.read(fs, path)))
      expect(error.message).toBe(`${path} could not be read: it is larger than 64 MiB. Check the path.`)
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scoped("of a checkpoint or a package is refused for depth", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const step = join(directory, "step-00000001")
      mkdirSync(step)
      writeFileSync(join(step, "manifest.json"), map)
      const store = yield* CheckpointStore
      expect((yield* Effect.flip(store.load(step))).message).toContain("This is not the manifest of a checkpoint.")
      writeFileSync(join(directory, "package.json"), `{"name": "x", "codex": ${map}}`)
      const error = yield* Effect.flip(PluginLoader.discover({ directory, plugins: [] }))
      expect(error.message).toContain("has more than 100 objects and arrays inside each other")
    }).pipe(Effect.provide(CheckpointStoreLive.layer), Effect.provide(NodeContext.layer))
  )
})
