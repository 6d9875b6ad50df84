/**
 * The tracker `ndjson`: the laws, and what its file looks like after a crash. Oracle: the lines as the header of ndjson.ts
 * shows them, written out. Needs the file system.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as PlatformError from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { afterAll } from "vitest"
import { Tracker } from "../../../src/core/Tracker.ts"
import { Ndjson } from "../../../src/plugins/trackers/ndjson.ts"
import { trackerContract } from "../../../src/testing/tracker.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-ndjson-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const tracker = Ndjson.layer({}).pipe(Layer.provideMerge(NodeContext.layer))

const numbers = Schema.Record({ key: Schema.String, value: Schema.Number })
const Line = Schema.parseJson(
  Schema.Struct(
    { step: Schema.Number, split: Schema.String, time: numbers },
    { key: Schema.String, value: Schema.Unknown }
  )
)

trackerContract("ndjson", {
  layer: tracker,
  keeps: (logged) => logged,
  read: ({ directory }) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const text = yield* fs.readFileString(join(directory, "metrics.ndjson"))
      return yield* Effect.forEach(text.trimEnd().split("\n"), (each) =>
        Effect.gen(function* () {
          const { split, step, time, ...rest } = yield* Schema.decode(Line)(each)
          return { step, split, values: yield* Schema.decodeUnknown(numbers)(rest), time }
        })
      )
    })
})

const open = (fromStep: number, directory = folder) =>
  Effect.flatMap(Tracker, (service) => service.open({ id: "r", directory, config: {}, fromStep }))

describe("metrics.ndjson", () => {
  const path = join(folder, "metrics.ndjson")

  it.scoped("has a line as soon as it is logged: step, split, values, then time", () =>
    Effect.gen(function* () {
      const session = yield* open(0)
      yield* session.log({ step: 1, split: "train", values: { loss: 3.5, lr: 0.001 }, time: { step_millis: 58 } })
      expect(readFileSync(path, "utf8")).toBe(
        '{"step":1,"split":"train","loss":3.5,"lr":0.001,"time":{"step_millis":58}}\n'
      )
    }).pipe(Effect.provide(tracker))
  )

  it.scoped("loses later steps and an incomplete last line when its run is resumed, and nothing before", () =>
    Effect.gen(function* () {
      writeFileSync(path, '{"step":1,"loss":1}\nnot json\n{"step":2,"loss":2}\n{"step":3,"loss":3}\n{"step":2,"lo')
      yield* open(2)
      expect(readFileSync(path, "utf8")).toBe('{"step":1,"loss":1}\nnot json\n{"step":2,"loss":2}\n')
      expect(readdirSync(folder)).toEqual(["metrics.ndjson"])
    }).pipe(Effect.provide(tracker))
  )

  it.scoped("keeps a last line that lacks nothing but its line feed", () =>
    Effect.gen(function* () {
      writeFileSync(path, '{"step":1,"loss":"é"}')
      const session = yield* open(1)
      yield* session.log({ step: 2, split: "train", values: {}, time: {} })
      expect(readFileSync(path, "utf8")).toBe('{"step":1,"loss":"é"}\n{"step":2,"split":"train","time":{}}\n')
    }).pipe(Effect.provide(tracker))
  )

  it.scoped("starts empty where a resumed run has none", () =>
    Effect.gen(function* () {
      rmSync(path)
      const session = yield* open(5)
      yield* session.log({ step: 6, split: "train", values: {}, time: {} })
      expect(readFileSync(path, "utf8")).toBe('{"step":6,"split":"train","time":{}}\n')
    }).pipe(Effect.provide(tracker))
  )

  it.scoped("has the name that the config gives it", () =>
    Effect.gen(function* () {
      yield* open(0)
      expect(existsSync(join(folder, "other.ndjson"))).toBe(true)
    }).pipe(Effect.provide(Ndjson.layer({ file: "other.ndjson" }).pipe(Layer.provideMerge(NodeContext.layer))))
  )

  it.scoped("that cannot be written is an error that names tracker and place", () =>
    Effect.gen(function* () {
      writeFileSync(join(folder, "file"), "")
      const error = yield* Effect.flip(open(0, join(folder, "file", "run")))
      expect(error).toMatchObject({ _tag: "TrackerError", tracker: "ndjson" })
      expect(error.message).toContain(join(folder, "file", "run"))
    }).pipe(Effect.provide(tracker))
  )
})

describe("a disk that refuses", () => {
  /** The file system, but every write to an open file fails with a code. */
  const refusing = (code: string) =>
    Effect.map(
      FileSystem.FileSystem,
      (real): FileSystem.FileSystem => ({
        ...real,
        open: (path, options) =>
          Effect.map(
            real.open(path, options),
            (file): FileSystem.File =>
              Object.create(file, {
                writeAll: {
                  value: () =>
                    new PlatformError.SystemError({
                      reason: "Unknown",
                      module: "FileSystem",
                      method: "writeAll",
                      pathOrDescriptor: 30,
                      cause: Object.assign(new Error(`${code}: write`), { code })
                    })
                }
              })
          )
      })
    )

  for (const [code, words] of [
    ["ENOSPC", "there is no space left on the disk. Free some space."],
    ["EDQUOT", "the disk quota is used up. Free some space."],
    ["EROFS", "the file system is read-only. Choose another path."]
  ] as const) {
    it.scoped(`${code} is an error in words, with the path and what to do`, () =>
      Effect.gen(function* () {
        const directory = mkdtempSync(join(folder, "full-"))
        const fs = yield* refusing(code)
        const session = yield* Effect.provideService(open(0, directory), FileSystem.FileSystem, fs)
        const error = yield* Effect.flip(session.log({ step: 1, split: "train", values: { loss: 1 }, time: {} }))
        expect(error.message).toBe(`Tracker ndjson: ${directory}/metrics.ndjson could not be written: ${words}`)
      }).pipe(Effect.provide(tracker))
    )
  }

  it.scoped("as is a directory in the file's place", () =>
    Effect.gen(function* () {
      const directory = mkdtempSync(join(folder, "taken-"))
      mkdirSync(join(directory, "metrics.ndjson"))
      expect((yield* Effect.flip(open(0, directory))).message).toBe(
        `Tracker ndjson: ${directory}/metrics.ndjson could not be written: it is a directory. Name a file in it.`
      )
    }).pipe(Effect.provide(tracker))
  )

  it.scoped("a tracker of a package that passes the platform's error on is in words too", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const service = yield* Tracker.make({
        name: "mine",
        open: ({ directory }) => Effect.as(fs.writeFileString(directory, ""), () => Effect.void)
      })
      const error = yield* Effect.flip(service.open({ id: "r", directory: folder, config: {}, fromStep: 0 }))
      expect(error.message).toBe("Tracker mine: A file could not be used: it is a directory. Name a file in it.")
    }).pipe(Effect.provide(NodeContext.layer))
  )
})

it.scoped("numbers that JSON does not have are left out, not null", () =>
  Effect.gen(function* () {
    const directory = mkdtempSync(join(folder, "infinite-"))
    const session = yield* open(0, directory)
    const values = { loss: 1, bits_per_byte: Number.POSITIVE_INFINITY, accuracy: Number.NaN }
    yield* session.log({ step: 1, split: "validation", values, time: { millis: Number.NaN } })
    expect(readFileSync(join(directory, "metrics.ndjson"), "utf8")).toBe(
      '{"step":1,"split":"validation","loss":1,"time":{}}\n'
    )
  }).pipe(Effect.provide(tracker))
)
