/**
 * The token cache on real files. Oracles: encoding the documents at once, the file's bytes as
 * the format says, and counts of how often the dataset was read. Needs the file system.
 */
import { FileSystem } from "@effect/platform"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { Dataset, DatasetError } from "../../../src/core/Dataset.ts"
import { TokenCache } from "../../../src/core/data/TokenFile.ts"
import { Tokenizer } from "../../../src/core/Tokenizer.ts"
import * as Pipeline from "../../../src/core/tokenizer/Pipeline.ts"
import * as TokenCacheLayer from "../../../src/services/runs/TokenCache.ts"
import { full, inFull } from "../../full.ts"
import { byteLevel } from "./definition.ts"
import { waiting } from "./threads.ts"

/** Code points as ids, with room for all of them: above 65,536, so the cache needs four bytes an id. */
const wide = Tokenizer.make({
  vocabularySize: 0x110001,
  byteLevel: false,
  specialTokens: {},
  endOfText: undefined,
  encode: (text) => Int32Array.from(text, (character) => character.codePointAt(0) ?? 0),
  decode: (ids) => Effect.sync(() => String.fromCodePoint(...ids)),
  token: (id) => String.fromCodePoint(id),
  files: { "tokenizer.json": "wide" }
})

/** Bytes as ids; 256 ends a text. */
const narrow = Tokenizer.make({
  ...wide,
  vocabularySize: 257,
  specialTokens: { "<end>": 256 },
  endOfText: 256,
  encode: (text) => Int32Array.from(new TextEncoder().encode(text)),
  files: { "tokenizer.json": "narrow" }
})

const texts = ["Call me Ishmael.", "", "naïve 😀", Array.from({ length: 14_000 }, (_, i) => `${i} `).join("")]

/** Enough text that threads are started for it. */
const much = Array.from({ length: 16 }, (_, i) => `${i} ${"the the the 漢 ".repeat(inFull(90_000, 76_000))}${texts[3]}`)

/** A dataset in memory that counts how often its documents were read. */
const counting = (documents: ReadonlyArray<string>, fingerprint = "f") => {
  const reads = { count: 0 }
  const dataset = Effect.runSync(
    Dataset.make({
      documents: () =>
        Stream.suspend(() => {
          reads.count++
          return Stream.fromIterable(documents.map((text, i) => ({ id: String(i), text })))
        }),
      fingerprint: Effect.succeed(fingerprint)
    })
  )
  return { dataset, reads }
}

const expected = (tokenizer: Tokenizer.Service, documents: ReadonlyArray<string>) =>
  Int32Array.from(
    documents.flatMap((text) => [
      ...tokenizer.encode(text),
      ...(tokenizer.endOfText === undefined ? [] : [tokenizer.endOfText])
    ])
  )

const open = (directory: string, options: Parameters<TokenCache.Service["open"]>[0]) =>
  Effect.flatMap(TokenCache, (cache) => cache.open(options)).pipe(Effect.provide(TokenCacheLayer.layer({ directory })))

const inFolder = <A, E>(
  test: (folder: string, fs: FileSystem.FileSystem) => Effect.Effect<A, E, NodeContext.NodeContext>
) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped()
    return yield* test(`${folder}/cache`, fs)
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

/** Files whose `seek` takes a while after it moved, as one of another platform may. */
const slowSeeks = (fs: FileSystem.FileSystem): FileSystem.FileSystem => ({
  ...fs,
  open: (path, options) =>
    Effect.map(fs.open(path, options), (file) => {
      const seek: FileSystem.File["seek"] = (offset, from) =>
        Effect.zipLeft(file.seek(offset, from), Effect.sleep("1 millis"))
      return new Proxy(file, {
        get: (target, key) => {
          if (key === "seek") return seek
          const value: unknown = Reflect.get(target, key)
          return typeof value === "function" ? value.bind(target) : value
        }
      })
    })
})

// Threads compile the sources as they start, which takes long on a busy machine.
describe("token cache", () => {
  for (const [name, tokenizer, width] of [
    ["two", narrow, 2],
    ["four", wide, 4]
  ] as const) {
    it.effect(`reads by position what encoding gives, with ${name} bytes an id, little endian`, () =>
      inFolder((folder, fs) =>
        Effect.gen(function* () {
          const { dataset } = counting(texts)
          const file = yield* open(folder, { dataset, tokenizer, split: "train" })
          const all = expected(tokenizer, texts)
          expect(file.length).toBe(all.length)
          expect(file.documents).toBe(4)
          expect(file.bytes).toBe(texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0))
          expect(yield* file.read(0, file.length)).toEqual(all)
          for (const [position, length] of [
            [3, 10],
            [all.length - 1, 1],
            [all.length, 0]
          ] as const) {
            expect(yield* file.read(position, length)).toEqual(all.slice(position, position + length))
          }
          const [key] = yield* fs.readDirectory(folder)
          const bytes = Buffer.from(yield* fs.readFile(`${folder}/${key}/tokens.bin`))
          expect(bytes.length).toBe(all.length * width)
          for (const i of [0, 20, all.length - 1]) expect(bytes.readUIntLE(i * width, width)).toBe(all[i])
        }).pipe(Effect.scoped)
      )
    )
  }

  it.live("serves reads that overlap in time, each with its own tokens", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const { dataset } = counting(texts)
        const file = yield* open(folder, { dataset, tokenizer: narrow, split: "train" })
        const all = expected(narrow, texts)
        const positions = Array.from({ length: 20 }, (_, i) => i * 1000)
        const read = yield* Effect.forEach(positions, (at) => file.read(at, 300), { concurrency: "unbounded" })
        expect(read).toEqual(positions.map((at) => all.slice(at, at + 300)))
      }).pipe(Effect.scoped, Effect.updateService(FileSystem.FileSystem, slowSeeks))
    )
  )

  it.effect("tokenizes once for the same text, split and tokenizer, and again when one differs", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const { dataset, reads } = counting(texts)
        const once = { dataset, tokenizer: narrow, split: "train" } as const
        yield* open(folder, once)
        yield* open(folder, once)
        expect(reads.count).toBe(1)
        yield* open(folder, { ...once, split: "validation" })
        yield* open(folder, { ...once, tokenizer: { ...narrow, files: { "tokenizer.json": "other" } } })
        const identity = Effect.map(dataset.identity, ({ train, ...others }) => ({
          ...others,
          train: { ...train, digest: "g" }
        }))
        yield* open(folder, { ...once, dataset: { ...dataset, identity } })
        expect(reads.count).toBe(4)
        yield* open(folder, once)
        expect(reads.count).toBe(4)
      }).pipe(Effect.scoped)
    )
  )

  // Eight seconds, because threads are only started for much text; EncodeStream.test.ts compares the ids of one thread and of three.
  it.live.runIf(full)("writes the same bytes with any number of threads", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        const tokenizer = yield* Pipeline.make(byteLevel)
        const { dataset } = counting(much)
        const waits = { ...dataset, documents: () => waiting(much.map((text, i) => ({ id: String(i), text }))) }
        const files = yield* Effect.forEach([1, 3], (threads) =>
          Effect.gen(function* () {
            const directory = `${folder}/${threads}`
            let documents = 0
            const onProgress = () => Effect.sync(() => documents++)
            const cache = yield* Effect.provide(TokenCache, TokenCacheLayer.layer({ directory, threads }))
            yield* cache.open({ dataset: threads === 1 ? dataset : waits, tokenizer, split: "train", onProgress })
            expect(documents).toBe(much.length)
            const [key] = yield* fs.readDirectory(directory)
            return Buffer.from(yield* fs.readFile(`${directory}/${key}/tokens.bin`))
          })
        )
        const alone = Buffer.concat(
          much.flatMap((text) => [Buffer.from(Uint16Array.from(tokenizer.encode(text)).buffer), Buffer.from([0, 1])])
        )
        expect(files.map((file) => file.equals(alone))).toEqual([true, true])
      }).pipe(Effect.scoped)
    )
  )

  it.live("leaves nothing behind when a thread dies, and says so", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        const tokenizer = yield* Pipeline.make(byteLevel)
        const documents = () => waiting(much.map((text, i) => ({ id: String(i), text })))
        const dataset = { ...counting([]).dataset, documents }
        process.once("worker", (worker) => worker.once("online", () => void worker.terminate()))
        const cache = yield* Effect.provide(TokenCache, TokenCacheLayer.layer({ directory: folder, threads: 2 }))
        const error = yield* Effect.flip(cache.open({ dataset, tokenizer, split: "train" }))
        expect(error).toMatchObject({ _tag: "TokenFileError" })
        expect(error.message).toMatch(/tokens\.bin: the text was not encoded\. A thread .*ended with code .*threads: 1/)
        expect(yield* fs.readDirectory(folder)).toEqual([])
      }).pipe(Effect.scoped)
    )
  )

  const damage: Readonly<Record<string, (fs: FileSystem.FileSystem, entry: string) => Effect.Effect<void, unknown>>> = {
    "a shorter file": (fs, entry) => fs.truncate(`${entry}/tokens.bin`, 100),
    "one changed bit": (fs, entry) =>
      Effect.gen(function* () {
        const bytes = yield* fs.readFile(`${entry}/tokens.bin`)
        bytes[70_001]! ^= 1
        yield* fs.writeFile(`${entry}/tokens.bin`, bytes)
      }),
    "a missing file": (fs, entry) => fs.remove(`${entry}/tokens.bin`),
    "an index cut short": (fs, entry) => fs.truncate(`${entry}/index.json`, 40),
    "an index with other counts": (fs, entry) =>
      Effect.gen(function* () {
        const index = yield* fs.readFileString(`${entry}/index.json`)
        yield* fs.writeFileString(`${entry}/index.json`, index.replace(/"tokens": \d+/, '"tokens": 7'))
      }),
    "an empty folder in its place": (fs, entry) =>
      Effect.zipRight(fs.remove(entry, { recursive: true }), fs.makeDirectory(entry))
  }
  for (const [what, change] of Object.entries(damage)) {
    it.effect(`builds again after ${what}`, () =>
      inFolder((folder, fs) =>
        Effect.gen(function* () {
          const { dataset, reads } = counting(texts)
          const options = { dataset, tokenizer: narrow, split: "train" } as const
          yield* Effect.scoped(open(folder, options))
          const [key] = yield* fs.readDirectory(folder)
          yield* change(fs, `${folder}/${key}`)
          const file = yield* open(folder, options)
          expect(yield* file.read(0, file.length)).toEqual(expected(narrow, texts))
          expect(reads.count).toBe(2)
          expect(yield* fs.readDirectory(folder)).toEqual([key])
        }).pipe(Effect.scoped)
      )
    )
  }

  it.effect("is safe when several build one entry at once, and leaves nothing else behind", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        const { dataset } = counting(texts)
        const options = { dataset, tokenizer: narrow, split: "train" } as const
        const files = yield* Effect.all(
          Array.from({ length: 8 }, () => open(folder, options)),
          {
            concurrency: "unbounded"
          }
        )
        for (const file of files) expect(yield* file.read(0, file.length)).toEqual(expected(narrow, texts))
        expect(yield* fs.readDirectory(folder)).toHaveLength(1)
      }).pipe(Effect.scoped)
    )
  )

  it.effect("leaves nothing behind when the dataset fails, and passes its error on", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        const error = new DatasetError({ reason: "InvalidText", path: "x", details: "bad.", remedy: "Fix." })
        const { dataset } = counting(texts)
        const failing = { ...dataset, documents: () => Stream.concat(dataset.documents("train"), Stream.fail(error)) }
        const exit = yield* Effect.exit(open(folder, { dataset: failing, tokenizer: narrow, split: "train" }))
        expect(exit).toEqual(Exit.fail(error))
        expect(yield* fs.readDirectory(folder)).toEqual([])
      }).pipe(Effect.scoped)
    )
  )

  it.effect("leaves nothing behind when it is interrupted", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        const started = yield* Deferred.make<void>()
        const { dataset } = counting(texts)
        const endless = { ...dataset, documents: () => Stream.concat(dataset.documents("train"), Stream.never) }
        const onProgress = ({ documents }: { readonly documents: number }) =>
          documents === 4 ? Effect.asVoid(Deferred.succeed(started, undefined)) : Effect.void
        const fiber = yield* Effect.fork(
          Effect.scoped(open(folder, { dataset: endless, tokenizer: narrow, split: "train", onProgress }))
        )
        yield* Deferred.await(started)
        expect(yield* fs.readDirectory(folder)).toHaveLength(1)
        yield* Fiber.interrupt(fiber)
        expect(yield* fs.readDirectory(folder)).toEqual([])
      })
    )
  )

  it.live("removes what a killed process left an hour ago, and not what one is writing now", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        for (const name of [".a.0a1b2c3d.codex-new", ".b.0a1b2c3d.codex-new"]) {
          yield* fs.makeDirectory(`${folder}/${name}`, { recursive: true })
        }
        const [now, overAnHourAgo] = [Date.now(), Date.now() - 61 * 60_000]
        yield* fs.utimes(`${folder}/.a.0a1b2c3d.codex-new`, overAnHourAgo / 1000, overAnHourAgo / 1000)
        yield* fs.utimes(`${folder}/.b.0a1b2c3d.codex-new`, now / 1000, now / 1000)
        const { dataset } = counting(texts)
        yield* open(folder, { dataset, tokenizer: narrow, split: "train" })
        const names = yield* fs.readDirectory(folder)
        expect(names.filter((name) => name.startsWith("."))).toEqual([".b.0a1b2c3d.codex-new"])
      }).pipe(Effect.scoped)
    )
  )

  it.effect("reports each document, and says when tokens outside the file are requested", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const { dataset } = counting(["ab", "é"])
        const seen: Array<object> = []
        const onProgress = (done: object) => Effect.sync(() => seen.push(done))
        const file = yield* open(folder, { dataset, tokenizer: narrow, split: "train", onProgress })
        expect(seen).toEqual([
          { documents: 1, bytes: 2 },
          { documents: 2, bytes: 4 }
        ])
        expect((yield* Effect.flip(file.read(4, 5))).message).toMatch(
          /tokens\.bin: tokens 4 to 9 were requested, of 6\. Request fewer\.$/
        )
      }).pipe(Effect.scoped)
    )
  )

  it.effect("says what the file system said when the folder cannot be made", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        yield* fs.writeFileString(folder, "a file where the folder should be")
        const { dataset } = counting(texts)
        const error = yield* Effect.flip(open(folder, { dataset, tokenizer: narrow, split: "train" }))
        expect(error.message).toMatch(
          /cache: the token cache cannot be used: there is already a file or directory of that name\. Check free space and permi/
        )
      }).pipe(Effect.scoped)
    )
  )

  it.effect.prop(
    "holds any documents",
    [FastCheck.array(FastCheck.string({ unit: "binary" }), { maxLength: 5 })],
    ([documents]) =>
      inFolder((folder) =>
        Effect.gen(function* () {
          const { dataset } = counting(documents)
          const file = yield* open(folder, { dataset, tokenizer: wide, split: "validation" })
          expect(yield* file.read(0, file.length)).toEqual(expected(wide, documents))
          expect(file.bytes).toBe(Buffer.byteLength(documents.join("")))
        }).pipe(Effect.scoped)
      ),
    { fastCheck: { numRuns: 20 } }
  )
})
