/**
 * The NDJSON dataset on real files. Oracles: the dataset laws, what was written into the files, JSON.parse on whole files, and
 * the messages as written down beforehand. Needs the file system.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { afterAll, describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Dataset, type Split } from "../../../src/core/Dataset.ts"
import { NdjsonDataset } from "../../../src/plugins/datasets/ndjson.ts"
import { datasetContract } from "../../../src/testing/dataset.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-ndjson-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, content: string | Uint8Array) => {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), content)
}
const at = (name: string) => join(folder, name)

type Options = Parameters<typeof NdjsonDataset.layer>[0]
const ndjson = (options: Options) => Layer.provide(NdjsonDataset.layer(options), NodeContext.layer)
const read = (options: Options, split: Split = "train") =>
  Effect.flatMap(Dataset, (dataset) => Stream.runCollect(dataset.documents(split))).pipe(
    Effect.map((documents) => Chunk.toReadonlyArray(documents).map(({ id, text }) => [relative(folder, id), text])),
    Effect.provide(ndjson(options))
  )
const all = { fraction: 0 } as const
const message = (options: Options) =>
  Effect.map(Effect.flip(read(options)), (error) => error.message.replace(`${folder}/`, ""))

const texts = Array.from({ length: 40 }, (_, i) => `document ${i}\r\nnaïve 😀\n`)
const lines = (from: ReadonlyArray<string>, key = "text") =>
  from.map((text, i) => `${JSON.stringify({ n: i, [key]: text })}\n`).join("")
for (const [i, name] of ["a", "b", "c", "d"].entries()) {
  write(`one/${name}.ndjson`, lines(texts.slice(10 * i, 10 * i + 10)))
  write(`two/z${name}.jsonl`, lines(texts.slice(10 * i, 10 * i + 10), "body"))
}
write("single.jsonl", lines(texts))
write("other.jsonl", lines(texts.with(7, "another")))

datasetContract("ndjson", {
  layer: ndjson({ paths: at("one/*.ndjson"), validation: { every: 3 } }),
  texts,
  same: {
    "names, folders and other fields": ndjson({ paths: at("two/*"), validation: { every: 3 }, field: "body" }),
    "how the files were named": ndjson({ paths: at("one"), validation: { every: 3 } })
  },
  different: {
    "the split": ndjson({ paths: at("one/*.ndjson"), validation: { every: 2 } }),
    "the order": ndjson({ paths: [at("one/d.ndjson"), at("one")], validation: { every: 3 } })
  }
})

datasetContract("ndjson, a single file", {
  layer: ndjson({ paths: at("single.jsonl") }),
  texts,
  same: {},
  different: { "a document": ndjson({ paths: at("other.jsonl") }) }
})

describe("ndjson", () => {
  it.effect("cuts a single file between lines, wherever the byte falls", () =>
    Effect.gen(function* () {
      const size = readFileSync(at("single.jsonl")).length
      for (let every = 2; every < 60; every += 3) {
        const options = { paths: at("single.jsonl"), validation: { every } }
        const [train, validation] = [yield* read(options), yield* read(options, "validation")]
        expect([...train, ...validation]).toEqual(texts.map((text, i) => [`single.jsonl:${i + 1}`, text]))
        // No line is longer than 60 bytes.
        expect(Math.abs(validation.length - texts.length / every)).toBeLessThanOrEqual(1 + 60 / (size / texts.length))
      }
    })
  )

  it.effect("reads lines longer than a block, of any line end, with a byte order mark", () =>
    Effect.gen(function* () {
      const long = "é𝒜".repeat(1_700_000)
      const rows = [{ text: "first" }, { text: long }, { text: "" }, { text: "last" }].map((row) => JSON.stringify(row))
      write("long.ndjson", `\uFEFF${rows[0]}\r\n\r\n  \n${rows.slice(1).join("\r\n")}`)
      expect(yield* read({ paths: at("long.ndjson"), validation: all })).toEqual([
        ["long.ndjson:1", "first"],
        ["long.ndjson:4", long],
        ["long.ndjson:6", "last"]
      ])
    })
  )

  it.effect.each([
    ["truncated.ndjson", '{"text": "a"}\n{"text": "b', /^truncated\.ndjson:2: is not JSON \(Unterminated string/],
    [
      "plain.ndjson",
      "{}\n\u001b[31mred\n",
      /^plain\.ndjson:1: the object has no field "text"\. The object is empty\.$/
    ],
    ["escape.ndjson", "\u001b[31mred\n", /^escape\.ndjson:1: is not JSON \(\P{Cc}*\\u001b\P{Cc}*\)\. Write one/u],
    [
      "array.ndjson",
      '["a", "b"]\n',
      /^array\.ndjson:1: is an array, not an object\. Write one object per line, such as/
    ],
    ["number.ndjson", '{"text": 7}\n', /^number\.ndjson:1: the field "text" is a number, not a string\./],
    [
      "field.ndjson",
      '{"body": "a", "n": 1}',
      /:1: the object has no field "text"\. Set field to one that .* body, n\.$/
    ],
    ["prototype.ndjson", '{"a": "b"}', /has no field "toString"/, "toString"],
    [
      "latin1.ndjson",
      Buffer.from('{"text":"a"}\n{"text":"\xe9"}\n', "latin1"),
      /^latin1\.ndjson:2: byte 22 \(0xe9\) is/
    ],
    ["empty.ndjson", "", /^empty\.ndjson: the file is empty\./]
  ] as const)("says what is wrong with %s", ([name, content, expected, field = "text"]) =>
    Effect.gen(function* () {
      write(`wrong/${name}`, content)
      const found = yield* message({ paths: at(`wrong/${name}`), validation: all, field })
      expect(found.replace("wrong/", "")).toMatch(expected)
    })
  )

  it.effect("says which files it wants of a folder", () =>
    Effect.gen(function* () {
      write("texts/a.txt", "a")
      expect(yield* message({ paths: at("texts") })).toMatch(
        /^texts: the directory has no \.ndjson or \.jsonl file in it or below it\. For other files give a pattern/
      )
    })
  )
})
