/**
 * Checkpoints on a real disk, truncated and changed by hand. Oracles: the values that were saved; SHA-256 by node:crypto; the
 * layout that the header of CheckpointStore.ts states. Needs the file system.
 */
import { createHash } from "node:crypto"
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { build } from "esbuild"
import { afterAll } from "vitest"
import { root } from "../../../scripts/build.mjs"
import { type Checkpoint, CheckpointStore, TrainState } from "../../../src/core/training/Checkpoint.ts"
import * as Store from "../../../src/services/runs/CheckpointStore.ts"
import { node } from "../../cli/children.ts"
import { inFull } from "../../full.ts"
import { files as platform } from "../../training/tiny.ts"
import { atEachCall } from "../files/crash.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-checkpoints-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let count = 0
const fresh = () => join(folder, String(++count))

const float32 = (shape: ReadonlyArray<number>, values: ReadonlyArray<number>) => ({
  dtype: "float32" as const,
  shape,
  data: Float32Array.from(values)
})

const checkpoint = (step: number): Checkpoint => ({
  state: new TrainState({
    step,
    seed: 7,
    tokens: 32 * step,
    // Not a float32, nor a short decimal.
    loss: 1 / 3,
    best: { step: 1, loss: Math.PI },
    sinceBest: 2,
    finished: null
  }),
  parameters: { "model.norm": float32([3], [1, -0, 1e-45]), "model.w": float32([2, 2], [step, 2, 3, 4]) },
  optimizer: { "adam.mean/model.w": float32([2, 2], [0.1, 0.2, 0.3, 0.4]) },
  files: { "config.json": '{"a":1}\n', "tokenizer.json": "ünïcode 😀" },
  provenance: { device: "none", git_commit: "0".repeat(40) }
})

const everyFile = [
  "config.json",
  "manifest.json",
  "model.safetensors",
  "optimizer.safetensors",
  "state.json",
  "tokenizer.json"
]

/** Runs an effect and returns its result with the warnings that it logged. */
const warnings = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => {
      lines.push(String(message))
    })
    return Effect.map(effect, (result) => ({ result, lines })).pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, logger))
    )
  })

layer(platform)("saving and loading", (it) => {
  it.effect("gives back every bit", () =>
    Effect.gen(function* () {
      const store = yield* CheckpointStore
      const path = yield* store.save(fresh(), checkpoint(3))
      expect(path.endsWith("step-00000003")).toBe(true)
      expect(yield* store.load(path)).toEqual(checkpoint(3))
      expect(Object.is((yield* store.load(path)).parameters["model.norm"]!.data[1], -0)).toBe(true)
      const { optimizer: _, ...model } = checkpoint(3)
      expect(yield* store.loadModel(path)).toEqual({ ...model, optimizer: {} })
    })
  )

  it.effect("writes a manifest with the SHA-256 and length of every other file, and nothing else", () =>
    Effect.gen(function* () {
      const store = yield* CheckpointStore
      const directory = fresh()
      const path = yield* store.save(directory, checkpoint(1))
      expect(readdirSync(directory)).toEqual(["step-00000001"])
      expect(readdirSync(path).sort()).toEqual(everyFile)
      const { files, format, provenance } = JSON.parse(readFileSync(join(path, "manifest.json"), "utf8"))
      expect({ format, provenance }).toEqual({ format: 1, provenance: checkpoint(1).provenance })
      const expected = everyFile
        .filter((file) => file !== "manifest.json")
        .map((file) => {
          const bytes = readFileSync(join(path, file))
          return [file, { sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length }]
        })
      expect(files).toEqual(Object.fromEntries(expected))
    })
  )

  it.effect("gives equal bytes for equal checkpoints, and replaces one of the same step", () =>
    Effect.gen(function* () {
      const store = yield* CheckpointStore
      const [a, b] = [fresh(), fresh()]
      const path = yield* store.save(a, checkpoint(2))
      mkdirSync(join(b, "step-00000002"), { recursive: true })
      writeFileSync(join(b, "step-00000002", "incomplete"), "")
      const again = yield* store.save(b, checkpoint(2))
      for (const file of everyFile) expect(readFileSync(join(again, file))).toEqual(readFileSync(join(path, file)))
      expect(readdirSync(again).sort()).toEqual(everyFile)
    })
  )

  it.effect("into a place that cannot be written fails and leaves nothing behind", () =>
    Effect.gen(function* () {
      const store = yield* CheckpointStore
      const file = fresh()
      writeFileSync(file, "")
      const error = yield* Effect.flip(store.save(join(file, "checkpoints"), checkpoint(1)))
      expect(error).toMatchObject({ _tag: "CheckpointError", reason: "Write" })
      expect(error.message).toContain("earlier checkpoints are untouched")

      // A file in a directory that does not exist: the fourth of the files cannot be written.
      const directory = fresh()
      yield* store.save(directory, checkpoint(1))
      const broken = { ...checkpoint(2), files: { "no/such/folder": "x" } }
      expect((yield* Effect.flip(store.save(directory, broken))).reason).toBe("Write")
      expect(readdirSync(directory)).toEqual(["step-00000001"])
    })
  )

  it.effect("of the same steps by many writers at once leaves whole checkpoints only", () =>
    Effect.gen(function* () {
      const store = yield* CheckpointStore
      const directory = fresh()
      yield* Effect.forEach(
        Array.from({ length: 24 }, (_, i) => (i % 8) + 1),
        (step) => Effect.ignore(store.save(directory, checkpoint(step))),
        { concurrency: "unbounded" }
      )
      const listed = yield* store.list(directory)
      expect(listed.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
      for (const { path, step } of listed) expect(yield* store.load(path)).toEqual(checkpoint(step))
      expect(readdirSync(directory)).toHaveLength(8)
    })
  )
})

layer(platform)("a checkpoint that is not whole", (it) => {
  /** Two checkpoints, of which something happens to the newer one. */
  const damaged = (damage: (path: string) => void) =>
    Effect.gen(function* () {
      const store = yield* CheckpointStore
      const directory = fresh()
      const before = yield* store.save(directory, checkpoint(1))
      const path = yield* store.save(directory, checkpoint(2))
      damage(path)
      const error = yield* Effect.flip(store.load(path))
      const { lines, result } = yield* warnings(store.newest(directory))
      expect(result).toEqual({ path: before, checkpoint: checkpoint(1) })
      expect(lines).toEqual([`${error.message} Skipped.`])
      expect(error.message).toContain("--resume")
      return { error, path }
    })

  for (const file of everyFile) {
    it.effect(`is refused by name when ${file} is cut short, and the one before is taken with a warning`, () =>
      Effect.gen(function* () {
        const { error, path } = yield* damaged((path) => {
          const whole = join(path, file)
          truncateSync(whole, statSync(whole).size - 1)
        })
        expect(error).toMatchObject({ _tag: "CheckpointError", reason: "Incomplete", path: join(path, file) })
      })
    )

    it.effect(`is refused by name when a byte of ${file} changes`, () =>
      Effect.gen(function* () {
        const { error, path } = yield* damaged((path) => {
          const bytes = readFileSync(join(path, file))
          bytes[Math.floor(bytes.length / 2)]! ^= 0x80
          writeFileSync(join(path, file), bytes)
        })
        // The manifest has no digest of itself: it either cannot be parsed or does not agree with a file.
        expect(["Incomplete", "Corrupt"]).toContain(error.reason)
        if (file !== "manifest.json") expect(error).toMatchObject({ reason: "Corrupt", path: join(path, file) })
      })
    )

    it.effect(`is refused by name when ${file} is gone`, () =>
      Effect.gen(function* () {
        const { error, path } = yield* damaged((path) => unlinkSync(join(path, file)))
        expect(error).toMatchObject(
          file === "manifest.json" ? { reason: "Missing", path } : { reason: "Incomplete", path: join(path, file) }
        )
      })
    )
  }

  it.effect("is an empty directory", () =>
    Effect.gen(function* () {
      const { error } = yield* damaged((path) => {
        rmSync(path, { recursive: true })
        mkdirSync(path)
      })
      expect(error.reason).toBe("Missing")
    })
  )

  it.effect("is not read when it has a temporary name, whole or not", () =>
    Effect.gen(function* () {
      const store = yield* CheckpointStore
      const directory = fresh()
      const path = yield* store.save(directory, checkpoint(1))
      cpSync(path, join(directory, ".step-00000002.0a1b2c3d.codex-new"), { recursive: true })
      mkdirSync(join(directory, ".step-00000003.0a1b2c3d.codex-new"))
      writeFileSync(join(directory, "step-nonsense"), "")
      expect(yield* store.list(directory)).toEqual([{ step: 1, path }])
      const { lines, result } = yield* warnings(store.newest(directory))
      expect(result?.path).toBe(path)
      expect(lines).toEqual([])
    })
  )

  it.effect("is none at all", () =>
    Effect.gen(function* () {
      const store = yield* CheckpointStore
      expect(yield* store.newest(fresh())).toBeUndefined()
      expect(yield* store.list(fresh())).toEqual([])
      expect((yield* Effect.flip(store.load(fresh()))).reason).toBe("Missing")
    })
  )
})

layer(platform)("checkpoints of which none is whole", (it) => {
  it.effect("are refused, each by name, and a missing directory is not", () =>
    Effect.gen(function* () {
      const store = yield* CheckpointStore
      const directory = fresh()
      expect(yield* store.newest(directory)).toBeUndefined()
      const [first, second] = [yield* store.save(directory, checkpoint(1)), yield* store.save(directory, checkpoint(2))]
      truncateSync(join(first, "model.safetensors"), 5)
      unlinkSync(join(second, "manifest.json"))
      const { lines, result: error } = yield* warnings(Effect.flip(store.newest(directory)))
      expect(error).toMatchObject({ _tag: "CheckpointError", reason: "Corrupt", path: directory })
      expect(error.message).toContain(`${directory}: None of the 2 checkpoints is whole:`)
      expect(error.message).toContain(`${join(first, "model.safetensors")}: The checkpoint is corrupt`)
      expect(error.message).toContain(`${second}: There is no checkpoint here (no manifest.json).`)
      expect(error.message).toContain(`remove ${directory} and use --resume`)
      expect(lines).toEqual([])
      rmSync(first, { recursive: true })
      expect((yield* Effect.flip(store.newest(directory))).message).toContain("The only checkpoint is not whole:")
    })
  )
})

layer(platform)("a reader beside a process that trains", (it) => {
  it.effect("chooses again when the newest checkpoint is removed while it is read", () =>
    Effect.gen(function* () {
      const directory = fresh()
      const store = yield* CheckpointStore
      yield* store.save(directory, checkpoint(1))
      const fs = yield* FileSystem.FileSystem
      // Before the first file of step 1 is read, step 2 takes its place.
      let [reads, replaced] = [0, false]
      const racing = FileSystem.make({
        ...fs,
        readFile: (path) =>
          Effect.suspend(() => {
            reads += 1
            if (replaced) return fs.readFile(path)
            replaced = true
            return store
              .save(directory, checkpoint(2))
              .pipe(
                Effect.zipRight(store.remove(join(directory, "step-00000001"))),
                Effect.orDie,
                Effect.zipRight(fs.readFile(path))
              )
          })
      })
      const reader = Store.layer.pipe(Layer.provide(Layer.succeed(FileSystem.FileSystem, racing)))
      const { lines, result } = yield* warnings(
        Effect.flatMap(CheckpointStore, (store) => store.newest(directory)).pipe(Effect.provide(reader))
      )
      expect(result).toEqual({ path: join(directory, "step-00000002"), checkpoint: checkpoint(2) })
      expect(reads).toBeGreaterThan(1)
      expect(lines).toEqual([])
    })
  )

  it.effect("never sees a part of a checkpoint that is removed", () =>
    Effect.gen(function* () {
      const directory = fresh()
      const store = yield* CheckpointStore
      const path = yield* store.save(directory, checkpoint(1))
      const fs = yield* FileSystem.FileSystem
      const seen: Array<ReadonlyArray<string>> = []
      const watched = FileSystem.make({
        ...fs,
        remove: (removed, options) =>
          Effect.suspend(() => {
            seen.push(readdirSync(directory).filter((name) => name.startsWith("step-")))
            return fs.remove(removed, options)
          })
      })
      const writer = Store.layer.pipe(Layer.provide(Layer.succeed(FileSystem.FileSystem, watched)))
      yield* Effect.flatMap(CheckpointStore, (store) => store.remove(path)).pipe(Effect.provide(writer))
      expect(seen).toEqual([[]])
      expect(readdirSync(directory)).toEqual([])
    })
  )
})

layer(platform, { excludeTestServices: true })("what a killed writer left", (it) => {
  it.effect("is removed at once by the process that has the lock, and what was moved aside comes back", () =>
    Effect.gen(function* () {
      const store = yield* CheckpointStore
      const directory = fresh()
      const path = yield* store.save(directory, checkpoint(1))
      cpSync(path, join(directory, ".step-00000002.0a1b2c3d.codex-new"), { recursive: true })
      unlinkSync(join(directory, ".step-00000002.0a1b2c3d.codex-new", "manifest.json"))
      renameSync(path, join(directory, ".step-00000001.0a1b2c3d.codex-old"))
      yield* store.tidy(directory)
      expect(readdirSync(directory)).toEqual(["step-00000001"])
      expect(yield* store.load(path)).toEqual(checkpoint(1))
      yield* store.tidy(join(directory, "nowhere"))
    })
  )

  it.effect("is removed by a later save once it is an hour old", () =>
    Effect.gen(function* () {
      const store = yield* CheckpointStore
      const directory = fresh()
      for (const [name, minutes] of [
        [".step-00000001.0a1b2c3d.codex-new", 61],
        [".step-00000002.0a1b2c3d.codex-new", 59]
      ] as const) {
        mkdirSync(join(directory, name), { recursive: true })
        const time = Date.now() / 1000 - 60 * minutes
        utimesSync(join(directory, name), time, time)
      }
      yield* store.save(directory, checkpoint(3))
      expect(readdirSync(directory).sort()).toEqual([".step-00000002.0a1b2c3d.codex-new", "step-00000003"])
    })
  )
})

layer(platform)("removing", (it) => {
  it.effect("takes one checkpoint and leaves the others", () =>
    Effect.gen(function* () {
      const store = yield* CheckpointStore
      const directory = fresh()
      const path = yield* store.save(directory, checkpoint(1))
      yield* store.save(directory, checkpoint(2))
      cpSync(path, join(directory, ".step-00000001.0a1b2c3d.codex-old"), { recursive: true })
      yield* store.remove(path)
      expect(readdirSync(directory)).toEqual(["step-00000002"])
      yield* store.remove(path)
    })
  )

  it.effect("that fails says so", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip((yield* CheckpointStore).remove("/proc/self/fd"))
      expect(error).toMatchObject({ _tag: "CheckpointError", reason: "Remove" })
      expect(error.message).toMatch(/^\/proc\/self\/fd: The checkpoint could not be removed: /)
    })
  )
})

layer(platform)("a writer that is killed while it saves a step again", (it) => {
  /** The file system of the process that dies is given to its store when that is built. */
  const saveAgain = (directory: string) =>
    Effect.flatMap(CheckpointStore, (store) => store.save(directory, again)).pipe(Effect.provide(Store.layer))
  const again = { ...checkpoint(2), provenance: { device: "again" } }

  it.effect("leaves the old or the new checkpoint, whichever call it is killed before", () =>
    Effect.gen(function* () {
      const store = yield* CheckpointStore
      const found = new Set<string>()
      const template = fresh()
      yield* store.save(template, checkpoint(1))
      yield* store.save(template, checkpoint(2))
      const calls = yield* atEachCall({
        prepare: () => {
          const directory = fresh()
          cpSync(template, directory, { recursive: true })
          return directory
        },
        run: saveAgain,
        check: (directory, call, completed) =>
          Effect.gen(function* () {
            const { lines, result } = yield* warnings(store.newest(directory))
            expect(lines).toEqual([])
            expect(result!.checkpoint, `killed before call ${call}`).toEqual(
              result!.checkpoint.provenance.device === "again" ? again : checkpoint(2)
            )
            if (completed) expect(result!.checkpoint).toEqual(again)
            expect((yield* store.list(directory)).map(({ step }) => step)).toEqual([1, 2])
            // By its name it is found as well.
            expect(yield* store.load(join(directory, "step-00000002"))).toEqual(result!.checkpoint)
            found.add(basename(result!.path).replace(/\.[0-9a-f]{8}\./, "."))
            // A resumed run saves it once more.
            expect(yield* store.save(directory, again)).toBe(join(directory, "step-00000002"))
            expect(yield* store.load(join(directory, "step-00000002"))).toEqual(again)
          })
      })
      expect(found).toEqual(new Set(["step-00000002", ".step-00000002.codex-old"]))
      expect(calls).toBeGreaterThan(20)
    })
  )
})

layer(platform, { excludeTestServices: true })("a process that saves a step again and again", (it) => {
  it.effect("leaves a whole checkpoint after a SIGKILL at any moment", () =>
    Effect.gen(function* () {
      const store = yield* CheckpointStore
      const bundle = join(root, "node_modules/.cache", `codex-checkpoints-${process.pid}`)
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(bundle, { recursive: true, force: true })))
      yield* Effect.promise(() =>
        build({
          absWorkingDir: root,
          entryPoints: ["test/services/runs/saveForever.ts"],
          outfile: join(bundle, "saveForever.mjs"),
          bundle: true,
          format: "esm",
          platform: "node",
          banner: { js: 'import { createRequire as own } from "node:module"; const require = own(import.meta.url);' },
          logLevel: "silent"
        })
      )
      const directory = fresh()
      yield* store.save(directory, checkpoint(5))
      for (let kill = 0; kill < inFull(8, 3); kill++) {
        const child = node([join(bundle, "saveForever.mjs"), directory])
        yield* Effect.promise(() => child.said("saved"))
        yield* Effect.sleep(`${(kill * 7) % 20} millis`)
        child.process.kill("SIGKILL")
        yield* Effect.promise(() => child.finished)
        const { lines, result } = yield* warnings(store.newest(directory))
        expect(lines).toEqual([])
        expect(result?.checkpoint.state.step).toBe(5)
      }
    }).pipe(Effect.scoped)
  )
})
