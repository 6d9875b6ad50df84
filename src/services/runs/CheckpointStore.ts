/**
 * Checkpoints as directories on disk, and every message about one that is missing, incomplete or corrupt.
 *
 *     step-00000100/   model.safetensors  optimizer.safetensors  state.json  config.json  …  manifest.json
 *
 * A checkpoint is written whole or not at all (services/files/AtomicFiles.ts); the manifest has the SHA-256 of every other file
 * and is written last. A checkpoint that is saved again is moved aside first: `list` finds it there, so at no moment is the only
 * good one gone. Loading checks every file against the manifest.
 */
import { createHash } from "node:crypto"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Json from "../../core/data/Json.ts"
import * as Safetensors from "../../core/tensor/Safetensors.ts"
import { type Checkpoint, CheckpointError, CheckpointStore, TrainState } from "../../core/training/Checkpoint.ts"
import * as AtomicFiles from "../files/AtomicFiles.ts"
import { FileError } from "../files/FileError.ts"
import * as TextFile from "../files/TextFile.ts"

const Manifest = Json.schema(
  Schema.Struct({
    format: Schema.Literal(1),
    files: Schema.Record({ key: Schema.String, value: Schema.Struct({ sha256: Schema.String, bytes: Schema.Int }) }),
    provenance: Schema.Record({ key: Schema.String, value: Schema.String })
  }),
  { space: 2 }
)

const State = Json.schema(TrainState, { space: 2 })
const model = "model.safetensors"
const optimizer = "optimizer.safetensors"
const manifestName = "manifest.json"
const pattern = /^step-(\d{8,})$/

const make = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const paths = yield* Path.Path

  const platform = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    effect.pipe(Effect.provideService(FileSystem.FileSystem, fs), Effect.provideService(Path.Path, paths))

  const save: CheckpointStore.Service["save"] = (directory, checkpoint) => {
    const target = paths.join(directory, `step-${String(checkpoint.state.step).padStart(8, "0")}`)
    const text = (content: string) => [new TextEncoder().encode(content)]
    return AtomicFiles.writeDirectory(target, (temporary) =>
      Effect.gen(function* () {
        const contents: ReadonlyArray<readonly [string, ReadonlyArray<Uint8Array>]> = [
          [model, Safetensors.encode(checkpoint.parameters, { format: "pt" })],
          [optimizer, Safetensors.encode(checkpoint.optimizer)],
          ["state.json", text(Schema.encodeSync(State)(checkpoint.state))],
          ...Object.entries(checkpoint.files).map(([file, content]) => [file, text(content)] as const)
        ]
        const files: Record<string, { readonly sha256: string; readonly bytes: number }> = {}
        for (const [file, pieces] of contents) {
          yield* AtomicFiles.writeSynced(paths.join(temporary, file), pieces)
          files[file] = digestOf(pieces)
        }
        const manifest = Schema.encodeSync(Manifest)({ format: 1, files, provenance: checkpoint.provenance })
        yield* AtomicFiles.writeSynced(paths.join(temporary, manifestName), manifest)
      })
    ).pipe(
      Effect.as(target),
      Effect.uninterruptible,
      Effect.mapError((cause) => {
        const { details, remedy } = FileError.from(target, "write")(cause)
        return new CheckpointError({
          reason: "Write",
          path: target,
          details: `The checkpoint could not be written: ${details}.`,
          remedy: remedy.replace(/\.$/, "; earlier checkpoints are untouched.")
        })
      }),
      platform
    )
  }

  const unusable = (reason: "Missing" | "Incomplete" | "Corrupt", path: string, details: string) =>
    new CheckpointError({
      reason,
      path,
      details,
      remedy: "Use another checkpoint of the run; `--resume` takes the newest whole one automatically."
    })

  const unreadable = (path: string) => (cause: unknown) =>
    unusable("Missing", path, `The checkpoint cannot be read: ${FileError.from(path, "read")(cause).details}.`)

  const readFiles = (path: string, wanted: (file: string) => boolean) =>
    Effect.gen(function* () {
      // A save that was killed may have left it under another name.
      const found = yield* AtomicFiles.current(path).pipe(platform, Effect.mapError(unreadable(path)))
      const directory = Option.getOrElse(found, () => path)
      const manifestPath = paths.join(directory, manifestName)
      if (!(yield* Effect.mapError(fs.exists(manifestPath), unreadable(path)))) {
        return yield* unusable("Missing", path, "There is no checkpoint here (no manifest.json).")
      }
      const manifest = yield* TextFile.read(fs, manifestPath).pipe(
        Effect.mapError(unreadable(path)),
        Effect.flatMap(Schema.decode(Manifest)),
        Effect.catchTag("ParseError", () =>
          unusable("Incomplete", manifestPath, "This is not the manifest of a checkpoint.")
        )
      )
      const files = new Map<string, Uint8Array>()
      for (const [file, expected] of Object.entries(manifest.files)) {
        if (!wanted(file)) continue
        const filePath = paths.join(directory, file)
        const bytes = yield* Effect.mapError(fs.readFile(filePath), (cause) => {
          const { details } = FileError.from(filePath, "read")(cause)
          return unusable("Incomplete", filePath, `The checkpoint is incomplete: ${details}.`)
        })
        if (bytes.length !== expected.bytes) {
          const details = `The checkpoint is corrupt: this file has ${bytes.length} bytes instead of ${expected.bytes}.`
          return yield* unusable("Incomplete", filePath, details)
        }
        if (digestOf([bytes]).sha256 !== expected.sha256) {
          const details = "The checkpoint is corrupt: this file is not the one that was written (its SHA-256 differs)."
          return yield* unusable("Corrupt", filePath, details)
        }
        files.set(file, bytes)
      }
      return { directory, files, provenance: manifest.provenance }
    })

  const tensors = (directory: string, file: string, files: ReadonlyMap<string, Uint8Array>) =>
    Either.match(Safetensors.decode(files.get(file) ?? new Uint8Array()), {
      onLeft: (error) => Effect.fail(unusable("Incomplete", paths.join(directory, file), error.message)),
      onRight: (decoded) => Effect.succeed(decoded.tensors)
    })

  const read = (path: string, wanted: (file: string) => boolean): Effect.Effect<Checkpoint, CheckpointError> =>
    Effect.gen(function* () {
      const { directory, files, provenance } = yield* readFiles(path, wanted)
      const decoder = new TextDecoder()
      const state = yield* Schema.decode(State)(decoder.decode(files.get("state.json"))).pipe(
        Effect.mapError(() =>
          unusable("Incomplete", paths.join(directory, "state.json"), "This is not the state of a run.")
        )
      )
      const own = new Set([model, optimizer, "state.json"])
      const text = [...files].filter(([file]) => !own.has(file)).map(([file, bytes]) => [file, decoder.decode(bytes)])
      return {
        state,
        parameters: yield* tensors(directory, model, files),
        optimizer: files.has(optimizer) ? yield* tensors(directory, optimizer, files) : {},
        files: Object.fromEntries(text),
        provenance
      }
    })

  const load: CheckpointStore.Service["load"] = (path) => read(path, () => true)

  const names = (directory: string) =>
    fs.readDirectory(directory).pipe(
      Effect.catchAll((cause) => {
        const { code, details } = FileError.from(directory, "read")(cause)
        return code === "ENOENT"
          ? Effect.succeed([])
          : unusable("Missing", directory, `The checkpoints cannot be listed: ${details}.`)
      })
    )

  const list: CheckpointStore.Service["list"] = (directory) =>
    Effect.map(names(directory), (names) => {
      const found = new Map<number, string>()
      const add = (name: string | undefined, place: string) => {
        const step = stepOf(name)
        if (step !== undefined) found.set(step, paths.join(directory, place))
      }
      // Those in their place take precedence over those that were moved aside.
      for (const name of names) add(AtomicFiles.movedAside(name), name)
      for (const name of names) add(name, name)
      return [...found].map(([step, path]) => ({ step, path })).sort((a, b) => a.step - b.step)
    })

  const remove: CheckpointStore.Service["remove"] = (path) =>
    Effect.gen(function* () {
      const directory = paths.dirname(path)
      const step = stepOf(nameOf(paths.basename(path)))
      const all = yield* names(directory)
      // First what was moved aside, or it would take the place of the one that is removed.
      const asides = all.filter((name) => step !== undefined && stepOf(AtomicFiles.movedAside(name)) === step)
      yield* Effect.forEach([...asides.map((name) => paths.join(directory, name)), path], AtomicFiles.removeDirectory, {
        discard: true
      })
    }).pipe(
      Effect.mapError((cause) => {
        if (cause instanceof CheckpointError) return cause
        const { details, remedy } = cause
        return new CheckpointError({
          reason: "Remove",
          path,
          details: `The checkpoint could not be removed: ${details}.`,
          remedy
        })
      }),
      platform
    )

  const newest = (directory: string): ReturnType<CheckpointStore.Service["newest"]> =>
    Effect.gen(function* () {
      const found = yield* list(directory)
      const failures: Array<CheckpointError> = []
      for (const { path, step } of [...found].reverse()) {
        const loaded = yield* Effect.either(load(path))
        if (Either.isRight(loaded)) {
          yield* Effect.forEach(failures, (failure) => Effect.logWarning(`${failure.message} Skipped.`))
          return { path, checkpoint: loaded.right }
        }
        // The process that trains removes old checkpoints: there are newer ones then.
        const isThere = (yield* list(directory)).some((now) => now.step === step && now.path === path)
        if (!isThere) return yield* newest(directory)
        failures.push(loaded.left)
      }
      if (failures.length === 0) return undefined
      const none =
        failures.length === 1
          ? "The only checkpoint is not whole"
          : `None of the ${failures.length} checkpoints is whole`
      return yield* new CheckpointError({
        reason: "Corrupt",
        path: directory,
        details: `${none}:${failures.map(({ details, path }) => `\n  ${path}: ${details}`).join("")}\n`,
        remedy:
          "Restore one from a copy, or start a new run. " +
          `To train this run again from its first update, remove ${directory} and use --resume.`
      })
    })

  return CheckpointStore.of({
    save,
    load,
    loadModel: (path) => read(path, (file) => file !== optimizer),
    list,
    newest,
    remove,
    tidy: (directory) => platform(AtomicFiles.removeAbandoned(directory, Number.NEGATIVE_INFINITY))
  })
})

const nameOf = (name: string): string => AtomicFiles.movedAside(name) ?? name

const stepOf = (name: string | undefined): number | undefined => {
  const digits = name === undefined ? undefined : pattern.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

const digestOf = (pieces: ReadonlyArray<Uint8Array>) => {
  const hash = createHash("sha256")
  for (const piece of pieces) hash.update(piece)
  return { sha256: hash.digest("hex"), bytes: pieces.reduce((sum, { length }) => sum + length, 0) }
}

/** The store of checkpoints on disk. */
export const layer: Layer.Layer<CheckpointStore, never, FileSystem.FileSystem | Path.Path> = Layer.effect(
  CheckpointStore,
  make
)
