/**
 * Which files are one file, and how often each is touched. Oracles: links that this test makes, and counted calls of the file
 * system. Needs a file system with symbolic and hard links.
 */
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { afterAll } from "vitest"
import { Dataset, type Split } from "../../../src/core/Dataset.ts"
import { NdjsonDataset } from "../../../src/plugins/datasets/ndjson.ts"
import { TextDataset } from "../../../src/plugins/datasets/text.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-text-files-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, content: string) => {
  mkdirSync(join(folder, name, ".."), { recursive: true })
  writeFileSync(join(folder, name), content)
}

const idsOf = (split: Split) =>
  Effect.map(
    Effect.flatMap(Dataset, (dataset) => Stream.runCollect(dataset.documents(split))),
    (documents) => Chunk.toReadonlyArray(documents).map(({ id }) => id.slice(folder.length + 1))
  )

/** The documents of both splits of these paths, in order. */
const read = <E, R>(layer: Layer.Layer<Dataset, E, R>) =>
  Effect.all({ train: idsOf("train"), validation: idsOf("validation") }).pipe(Effect.provide(layer))

describe("a file with several names", () => {
  for (const n of [1, 2, 3]) write(`tree/linked/${n}.txt`, `text ${n}`)
  symlinkSync("..", join(folder, "tree", "linked", "parent"))
  symlinkSync(join(folder, "tree/linked"), join(folder, "again"))
  symlinkSync("2.txt", join(folder, "tree", "linked", "4.txt"))
  linkSync(join(folder, "tree", "linked", "3.txt"), join(folder, "tree", "linked", "5.txt"))
  write("tree/linked/6.txt", "text 2")

  const names = ["1", "2", "3", "6"].map((name) => `tree/linked/${name}.txt`)
  const all = (split: { readonly train: ReadonlyArray<string>; readonly validation: ReadonlyArray<string> }) =>
    [...split.train, ...split.validation].sort()

  const platforms = {
    "by inode": NodeContext.layer,
    "by real path, where there are no inodes": Layer.merge(
      NodeContext.layer,
      Layer.effect(
        FileSystem.FileSystem,
        Effect.map(FileSystem.FileSystem, (fs) => ({
          ...fs,
          stat: (path: string) => Effect.map(fs.stat(path), (info) => ({ ...info, ino: Option.some(0) }))
        }))
      ).pipe(Layer.provide(NodeContext.layer))
    )
  }

  for (const [how, platform] of Object.entries(platforms)) {
    // A hard link is a file of its own where there are no inodes.
    const expected = how === "by inode" ? names : [...names, "tree/linked/5.txt"].sort()
    it.effect(`is in one split, once: ${how}`, () =>
      Effect.gen(function* () {
        for (const paths of [
          [join(folder, "tree/linked")],
          [join(folder, "tree/linked"), join(folder, "again/*.txt")]
        ] as const) {
          for (const seed of [1, 2, 3, 4]) {
            const found = yield* read(TextDataset.layer({ paths, validation: { fraction: 0.5 }, seed }))
            expect(all(found)).toEqual(expected)
          }
        }
      }).pipe(Effect.provide(platform))
    )
  }

  it.effect("is held out by any of them", () =>
    Effect.gen(function* () {
      const paths = join(folder, "tree/linked")
      const by = (name: string) => read(TextDataset.layer({ paths, validation: { paths: join(folder, name) } }))
      for (const name of ["tree/linked/2.txt", "tree/linked/4.txt", "again/2.txt", "tree/linked/parent/linked/2.txt"]) {
        expect(yield* by(name)).toMatchObject({
          train: ["tree/linked/1.txt", "tree/linked/3.txt", "tree/linked/6.txt"]
        })
      }
      expect((yield* by("tree/linked/5.txt")).train).toEqual([
        "tree/linked/1.txt",
        "tree/linked/2.txt",
        "tree/linked/6.txt"
      ])
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.effect("is one file of ndjson too", () =>
    Effect.gen(function* () {
      for (const n of [1, 2]) write(`table/rows/${n}.ndjson`, `{"text":"${n}"}\n`)
      symlinkSync("..", join(folder, "table", "rows", "up"))
      const found = yield* read(NdjsonDataset.layer({ paths: join(folder, "table/rows"), validation: { every: 2 } }))
      expect(found).toEqual({ train: ["table/rows/1.ndjson:1"], validation: ["table/rows/2.ndjson:1"] })
    }).pipe(Effect.provide(NodeContext.layer))
  )
})

describe("many small files", () => {
  const count = 600
  for (let i = 0; i < count; i++) write(`small/${i}.txt`, `document ${i}\n`)

  it.effect("are each measured once, and read with one call each time that the documents are", () =>
    Effect.gen(function* () {
      const calls: Record<string, number> = {}
      const counting = Layer.effect(
        FileSystem.FileSystem,
        Effect.map(FileSystem.FileSystem, (fs) => {
          const counted =
            <A extends ReadonlyArray<unknown>, B>(name: string, call: (...args: A) => B) =>
            (...args: A): B => {
              calls[name] = (calls[name] ?? 0) + 1
              return call(...args)
            }
          return {
            ...fs,
            open: counted("open", fs.open),
            stat: counted("stat", fs.stat),
            readFile: counted("readFile", fs.readFile),
            realPath: counted("realPath", fs.realPath)
          }
        })
      ).pipe(Layer.provide(NodeContext.layer))
      const layer = TextDataset.layer({ paths: join(folder, "small"), validation: { every: 10 } })
      yield* Effect.gen(function* () {
        const dataset = yield* Dataset
        // One more for the directory.
        expect(calls).toEqual({ stat: count + 1 })
        yield* dataset.fingerprint
        yield* dataset.identity
        expect(calls).toEqual({ stat: count + 1, readFile: count })
        const [train, validation] = [yield* idsOf("train"), yield* idsOf("validation")]
        expect([train[9], train.length, validation[1], validation.length]).toEqual([
          "small/10.txt",
          540,
          "small/19.txt",
          60
        ])
        expect(calls).toEqual({ stat: count + 1, readFile: 2 * count })
      }).pipe(Effect.provide(layer), Effect.provide(Layer.merge(NodeContext.layer, counting)))
    })
  )

  it.effect("of which one cannot be read are refused with its name", () =>
    Effect.gen(function* () {
      write("broken/1.txt", "text")
      write("broken/2.txt", "text")
      writeFileSync(join(folder, "broken/3.txt"), Uint8Array.of(0x61, 0x0a, 0xff))
      const layer = TextDataset.layer({ paths: join(folder, "broken"), validation: { fraction: 0 } })
      const error = yield* Effect.flip(read(layer))
      expect(String(error)).toContain("3.txt:2: byte 2 (0xff) is not UTF-8 text.")
    }).pipe(Effect.provide(NodeContext.layer))
  )
})
