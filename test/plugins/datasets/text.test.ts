/**
 * The text dataset on real files. Oracles: the dataset laws, what was written into the files, and the messages as written
 * down beforehand. Needs the file system.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { afterAll, describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Dataset, type Split } from "../../../src/core/Dataset.ts"
import { TextDataset } from "../../../src/plugins/datasets/text.ts"
import { datasetContract } from "../../../src/testing/dataset.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-text-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const write = (files: { readonly [name: string]: string | Uint8Array }, under = "") => {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, under, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
  }
}
const at = (name: string) => join(folder, name)

type Options = Parameters<typeof TextDataset.layer>[0]
const text = (options: Options) => Layer.provide(TextDataset.layer(options), NodeContext.layer)
const read = (options: Options, split: Split) =>
  Effect.flatMap(Dataset, (dataset) => Stream.runCollect(dataset.documents(split))).pipe(
    Effect.map((documents) => Chunk.toReadonlyArray(documents).map(({ id, text }) => [relative(folder, id), text])),
    Effect.provide(text(options))
  )
const message = (options: Options, split: Split = "train") => Effect.map(Effect.flip(read(options, split)), String)

const texts = Array.from({ length: 12 }, (_, i) => `document ${i}\r\nnaïve 😀\n`)
const named = (prefix: string) => Object.fromEntries(texts.map((content, i) => [`${prefix}${i}.txt`, content]))
write(named("d"), "a")
write(named("e"), "b")
write({ ...named("d"), "d5.txt": "another text" }, "c")

datasetContract("text", {
  layer: text({ paths: at("a/*.txt"), validation: { every: 5 } }),
  texts,
  same: {
    "names and folders": text({ paths: at("b/*.txt"), validation: { every: 5 } }),
    "how the files were named": text({ paths: at("a"), validation: { every: 5 } }),
    "a seed that draws nothing": text({ paths: at("a"), validation: { every: 5 }, seed: 7 })
  },
  different: {
    "a document": text({ paths: at("c/*.txt"), validation: { every: 5 } }),
    "the split": text({ paths: at("a/*.txt"), validation: { every: 4 } }),
    "the order": text({ paths: [at("a/d7.txt"), at("a/*.txt")], validation: { every: 5 } })
  }
})

describe("text", () => {
  it.effect("takes files in natural order, each once, and holds out every n-th", () =>
    Effect.gen(function* () {
      const options: Options = { paths: [at("a/*.txt"), at("a/d3.txt")], validation: { every: 10 } }
      expect(yield* read(options, "validation")).toEqual([["a/d9.txt", texts[9]]])
      expect((yield* read(options, "train")).map(([id]) => id)).toEqual(
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11].map((i) => `a/d${i}.txt`)
      )
      const { files } = yield* Effect.provide(Dataset, text(options))
      expect(files.map(({ path, bytes }) => [relative(folder, path), bytes])).toEqual(
        texts.map((content, i) => [`a/d${i}.txt`, Buffer.byteLength(content)])
      )
    })
  )

  it.effect("takes a name with the signs of a pattern as it stands", () =>
    Effect.gen(function* () {
      write({ "odd/[a] (1).txt": "odd" })
      const options: Options = { paths: at("odd/[a] (1).txt"), validation: { fraction: 0 } }
      expect(yield* read(options, "train")).toEqual([["odd/[a] (1).txt", "odd"]])
    })
  )

  it.effect("takes the .txt files of a folder, also those below it", () =>
    Effect.gen(function* () {
      write({ "tree/x.txt": "1", "tree/deep/y.txt": "2", "tree/z.md": "3" })
      expect(yield* read({ paths: at("tree"), validation: { fraction: 1 } }, "validation")).toEqual([
        ["tree/deep/y.txt", "2"],
        ["tree/x.txt", "1"]
      ])
    })
  )

  it.effect("holds out the files named in validation.paths, and trains on the others", () =>
    Effect.gen(function* () {
      const options: Options = { paths: at("a/*.txt"), validation: { paths: [at("a/d1*.txt")] } }
      expect((yield* read(options, "validation")).map(([id]) => id)).toEqual(["a/d1.txt", "a/d10.txt", "a/d11.txt"])
      expect(yield* read(options, "train")).toHaveLength(9)
      expect(yield* message({ paths: at("a/*.txt"), validation: { paths: at("a") } })).toContain(
        "every file is held out for validation, so there is nothing to train on."
      )
    })
  )

  it.effect("cuts a single file after a line near the fraction, or at a character", () =>
    Effect.gen(function* () {
      const lines = Array.from({ length: 10 }, (_, i) => `line ${i}\n`)
      write({
        "one/lines.txt": lines.join(""),
        "one/endless.txt": "é".repeat(10),
        "one/title.txt": `t\n${"é".repeat(50)}`
      })
      const one = (name: string, split: Split) =>
        read({ paths: at(`one/${name}`), validation: { fraction: 0.25 } }, split)
      // 70 bytes; byte 52 is in line 7, so the cut is after line 6.
      expect(yield* one("lines.txt", "train")).toEqual([["one/lines.txt#0", lines.slice(0, 7).join("")]])
      expect(yield* one("lines.txt", "validation")).toEqual([["one/lines.txt#49", lines.slice(7).join("")]])
      // 20 bytes; byte 15 is the second of a character, which starts at 14.
      expect(yield* one("endless.txt", "train")).toEqual([["one/endless.txt#0", "é".repeat(7)]])
      expect(yield* one("endless.txt", "validation")).toEqual([["one/endless.txt#14", "é".repeat(3)]])
      // The only line break is in the first half of what comes before byte 76.
      expect(yield* one("title.txt", "train")).toEqual([["one/title.txt#0", `t\n${"é".repeat(37)}`]])
    })
  )

  it.effect("cuts a long file into documents at line breaks, and where there are none at characters", () =>
    Effect.gen(function* () {
      write({ "long.txt": `ab\ncd\n${"😀".repeat(4)}\nzzz` })
      const options: Options = { paths: at("long.txt"), validation: { fraction: 0 }, document_bytes: 7 }
      expect((yield* read(options, "train")).map(([, text]) => text)).toEqual([
        "ab\ncd\n",
        "😀",
        "😀",
        "😀",
        "😀\n",
        "zzz"
      ])
    })
  )

  it.effect("drops a byte order mark at the start only, and keeps line ends and NUL", () =>
    Effect.gen(function* () {
      write({ "bom.txt": "\uFEFFa\r\n\uFEFFb\0" })
      expect(yield* read({ paths: at("bom.txt"), validation: { fraction: 0 } }, "train")).toEqual([
        ["bom.txt", "a\r\n\uFEFFb\0"]
      ])
    })
  )

  it.effect("says what is wrong with the data, where, and what to do", () =>
    Effect.gen(function* () {
      write({
        "bad/latin1.txt": Uint8Array.from([0x61, 0x0a, 0x63, 0x61, 0x66, 0xe9, 0x0a]),
        "bad/utf16.txt": Uint8Array.from([0xff, 0xfe, 0x61, 0x00]),
        "bad/empty1.txt": "",
        "bad/empty2.txt": "",
        "bad/none/readme.md": "text"
      })
      const all = (paths: Options["paths"]) => message({ paths, validation: { fraction: 0 } })
      expect(yield* all(at("bad/latin1.txt"))).toContain(
        `${at("bad/latin1.txt")}:2: byte 5 (0xe9) is not UTF-8 text. ` +
          "Convert the file, for example with `iconv -f WINDOWS-1252 -t UTF-8`, or leave it out."
      )
      expect(yield* all(at("bad/utf16.txt"))).toContain(
        ":1: byte 0 (0xff) is not UTF-8 text. The file is UTF-16: convert it with `iconv -f UTF-16 -t UTF-8`."
      )
      expect(yield* all("no-such-*.txt")).toContain(
        `no-such-*.txt: no file matches in ${process.cwd()}. ` +
          "Check the spelling, or run the command in the directory that the path is relative to."
      )
      expect(yield* all(at("bad/none"))).toContain(
        "the directory has no .txt file in it or below it. For other files give"
      )
      expect(yield* all(at("bad/empty1.txt"))).toContain("empty1.txt: the file is empty. Give files that contain text.")
      expect(yield* all(at("bad/empty*.txt"))).toContain("all 2 files are empty.")
    })
  )

  it.effect("names the line also in a later document of a long file", () =>
    Effect.gen(function* () {
      write({ "bad/late.txt": new Uint8Array([...new TextEncoder().encode("ab\ncd\nef\ngh\n"), 0x69, 0x80, 0x0a]) })
      const options: Options = { paths: at("bad/late.txt"), validation: { fraction: 0 }, document_bytes: 5 }
      expect(yield* message(options)).toContain("late.txt:5: byte 13 (0x80)")
    })
  )

  it.effect("says when a file became shorter since it was found", () =>
    Effect.gen(function* () {
      write({ "shrinks.txt": "0123456789" })
      const dataset = yield* Dataset
      write({ "shrinks.txt": "0123" })
      expect(String(yield* Effect.flip(Stream.runDrain(dataset.documents("train"))))).toContain(
        "the file had 10 bytes and became shorter while it was read. Run again when no other program writes to it."
      )
    }).pipe(
      Effect.provide(
        Layer.unwrapEffect(
          Effect.sync(() => {
            write({ "shrinks.txt": "0123456789" })
            return text({ paths: at("shrinks.txt"), validation: { fraction: 0 } })
          })
        )
      )
    )
  )

  it.effect("has another fingerprint when only the place changes where one split ends", () =>
    Effect.gen(function* () {
      write({ "three/1.txt": "x", "three/2.txt": "validation", "three/3.txt": "y" })
      const rules: ReadonlyArray<Options["validation"]> = [
        { fraction: 0 },
        { paths: at("three/3.txt") },
        { paths: at("three/[23].txt") },
        { fraction: 1 }
      ]
      const fingerprints = yield* Effect.forEach(rules, (validation) =>
        Effect.flatMap(Dataset, (dataset) => dataset.fingerprint).pipe(
          Effect.provide(text({ paths: at("three"), validation: validation ?? {} }))
        )
      )
      expect(new Set(fingerprints).size).toBe(4)
    })
  )

  it.effect("refuses two rules for the split at once", () =>
    Effect.gen(function* () {
      expect(yield* message({ paths: at("a"), validation: { every: 2, fraction: 0.5 } })).toContain(
        "validation: exactly one of fraction, every and paths is expected"
      )
      expect(yield* message({ paths: at("a"), validation: {} })).toContain(
        "validation: exactly one of fraction, every and paths"
      )
    })
  )
})
