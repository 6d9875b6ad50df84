/**
 * The tracker `ndjson`: the laws, and what its file looks like after a crash. Oracle: the lines as the header of ndjson.ts
 * shows them, written out. Needs the file system.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
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
