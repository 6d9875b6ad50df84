/**
 * Checkpoints as directories on disk.
 *
 *     step-00000100/   model.safetensors  optimizer.safetensors  state.json  config.json  tokenizer.json  …  manifest.json
 *
 * A checkpoint is written under a temporary sibling name, each file synced, the manifest (with the SHA-256 of every other
 * file) last; then the directory is renamed and its parent synced. `kill -9` or a full disk at any moment leaves either
 * the whole checkpoint or a temporary directory that nobody reads and a later save removes. Loading checks every file against the manifest.
 */
import { createHash } from "node:crypto"
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type Checkpoint, CheckpointError, CheckpointStore, TrainState } from "../../core/training/Checkpoint.ts"
import * as Safetensors from "../../core/tensor/Safetensors.ts"

const Manifest = Schema.parseJson(
  Schema.Struct({
    format: Schema.Literal(1),
    files: Schema.Record({ key: Schema.String, value: Schema.Struct({ sha256: Schema.String, bytes: Schema.Int }) }),
    provenance: Schema.Record({ key: Schema.String, value: Schema.String })
  }),
  { space: 2 }
)

const State = Schema.parseJson(TrainState, { space: 2 })
const model = "model.safetensors"
const optimizer = "optimizer.safetensors"
const manifestName = "manifest.json"
const pattern = /^step-(\d{8,})$/

const make = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const paths = yield* Path.Path

  const writeError = (path: string) => (cause: PlatformError) =>
    new CheckpointError({
      reason: "Write",
      path,
      details: `The checkpoint could not be written: ${cause.message}.`,
      remedy: "Free some space or choose another directory; earlier checkpoints are untouched."
    })

  const write = (path: string, pieces: ReadonlyArray<Uint8Array>) =>
    Effect.gen(function* () {
      const file = yield* fs.open(path, { flag: "wx" })
      const hash = createHash("sha256")
      let bytes = 0
      for (const piece of pieces) {
        yield* file.writeAll(piece)
        hash.update(piece)
        bytes += piece.length
      }
      yield* file.sync
      return { sha256: hash.digest("hex"), bytes }
    }).pipe(Effect.scoped)

  const syncDirectory = (path: string) => Effect.scoped(Effect.flatMap(fs.open(path), (directory) => directory.sync))

  /** What writers left that were killed: temporary directories that nobody has touched for an hour. */
  const removeAbandoned = (directory: string) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      for (const name of yield* fs.readDirectory(directory)) {
        if (!name.startsWith(".step-")) continue
        const path = paths.join(directory, name)
        const changed = Option.getOrUndefined((yield* fs.stat(path)).mtime)
        if (changed !== undefined && now - changed.getTime() > 3_600_000) yield* fs.remove(path, { recursive: true })
      }
    }).pipe(Effect.ignore)

  const save: CheckpointStore.Service["save"] = (directory, checkpoint) => {
    const name = `step-${String(checkpoint.state.step).padStart(8, "0")}`
    const target = paths.join(directory, name)
    return Effect.gen(function* () {
      yield* fs.makeDirectory(directory, { recursive: true })
      yield* removeAbandoned(directory)
      const temporary = yield* Effect.acquireRelease(
        fs.makeTempDirectory({ directory, prefix: `.${name}.` }),
        // After the rename there is nothing left to remove.
        (path) => Effect.ignore(fs.remove(path, { recursive: true, force: true }))
      )
      const text = (content: string) => [new TextEncoder().encode(content)]
      const contents: ReadonlyArray<readonly [string, ReadonlyArray<Uint8Array>]> = [
        [model, Safetensors.encode(checkpoint.parameters, { format: "pt" })],
        [optimizer, Safetensors.encode(checkpoint.optimizer)],
        ["state.json", text(Schema.encodeSync(State)(checkpoint.state))],
        ...Object.entries(checkpoint.files).map(([file, content]) => [file, text(content)] as const)
      ]
      const files: Record<string, { readonly sha256: string; readonly bytes: number }> = {}
      for (const [file, pieces] of contents) files[file] = yield* write(paths.join(temporary, file), pieces)
      const manifest = Schema.encodeSync(Manifest)({ format: 1, files, provenance: checkpoint.provenance })
      yield* write(paths.join(temporary, manifestName), text(manifest))
      yield* fs.chmod(temporary, 0o755)
      // A torn or stale directory of that name would make the rename fail; a whole one is the same step, written again.
      yield* fs.remove(target, { recursive: true, force: true })
      yield* fs.rename(temporary, target)
      yield* syncDirectory(directory)
      return target
    }).pipe(Effect.scoped, Effect.uninterruptible, Effect.mapError(writeError(target)))
  }

  const unusable = (reason: "Missing" | "Torn" | "Altered", path: string, details: string) =>
    new CheckpointError({
      reason,
      path,
      details,
      remedy: "Use another checkpoint of the run; `--resume` takes the newest whole one by itself."
    })

  const readFiles = (path: string, wanted: (file: string) => boolean) =>
    Effect.gen(function* () {
      const manifestPath = paths.join(path, manifestName)
      if (!(yield* fs.exists(manifestPath))) {
        return yield* unusable("Missing", path, "There is no checkpoint here (no manifest.json).")
      }
      const manifest = yield* fs.readFileString(manifestPath).pipe(
        Effect.flatMap(Schema.decode(Manifest)),
        Effect.catchTag("ParseError", () =>
          unusable("Torn", manifestPath, "The manifest is no manifest of a checkpoint.")
        )
      )
      const files = new Map<string, Uint8Array>()
      for (const [file, expected] of Object.entries(manifest.files)) {
        if (!wanted(file)) continue
        const filePath = paths.join(path, file)
        const bytes = yield* fs
          .readFile(filePath)
          .pipe(Effect.mapError(() => unusable("Torn", filePath, "The checkpoint is torn: this file cannot be read.")))
        if (bytes.length !== expected.bytes) {
          const details = `The checkpoint is torn: this file has ${bytes.length} bytes and should have ${expected.bytes}.`
          return yield* unusable("Torn", filePath, details)
        }
        if (createHash("sha256").update(bytes).digest("hex") !== expected.sha256) {
          return yield* unusable(
            "Altered",
            filePath,
            "This file is not the one that was written (its SHA-256 differs)."
          )
        }
        files.set(file, bytes)
      }
      return { files, provenance: manifest.provenance }
    }).pipe(
      Effect.catchTags({
        SystemError: (error) => unusable("Missing", path, `The checkpoint cannot be read: ${error.message}.`),
        BadArgument: (error) => unusable("Missing", path, `The checkpoint cannot be read: ${error.message}.`)
      })
    )

  const load: CheckpointStore.Service["load"] = (path) =>
    Effect.gen(function* () {
      const { files, provenance } = yield* readFiles(path, () => true)
      return yield* assemble(path, files, provenance)
    })

  const tensors = (path: string, file: string, files: ReadonlyMap<string, Uint8Array>) =>
    Either.match(Safetensors.decode(files.get(file) ?? new Uint8Array()), {
      onLeft: (error) => Effect.fail(unusable("Torn", paths.join(path, file), error.message)),
      onRight: (decoded) => Effect.succeed(decoded.tensors)
    })

  const assemble = (path: string, files: ReadonlyMap<string, Uint8Array>, provenance: Checkpoint["provenance"]) =>
    Effect.gen(function* () {
      const decoder = new TextDecoder()
      const state = yield* Schema.decode(State)(decoder.decode(files.get("state.json"))).pipe(
        Effect.mapError(() => unusable("Torn", paths.join(path, "state.json"), "This is no state of a run."))
      )
      const own = new Set([model, optimizer, "state.json"])
      const text = [...files].filter(([file]) => !own.has(file)).map(([file, bytes]) => [file, decoder.decode(bytes)])
      return {
        state,
        parameters: yield* tensors(path, model, files),
        optimizer: files.has(optimizer) ? yield* tensors(path, optimizer, files) : {},
        files: Object.fromEntries(text),
        provenance
      }
    })

  const list: CheckpointStore.Service["list"] = (directory) =>
    fs.readDirectory(directory).pipe(
      Effect.catchAll((error) =>
        error._tag === "SystemError" && error.reason === "NotFound"
          ? Effect.succeed([])
          : Effect.fail(unusable("Missing", directory, `The checkpoints cannot be listed: ${error.message}.`))
      ),
      Effect.map((names) =>
        names
          .flatMap((name) => {
            const step = pattern.exec(name)?.[1]
            return step === undefined ? [] : [{ step: Number(step), path: paths.join(directory, name) }]
          })
          .sort((a, b) => a.step - b.step)
      )
    )

  return CheckpointStore.of({
    save,
    load,
    loadModel: (path) =>
      Effect.gen(function* () {
        const { files, provenance } = yield* readFiles(path, (file) => file !== optimizer)
        return yield* assemble(path, files, provenance)
      }),
    list,
    newest: (directory) =>
      Effect.gen(function* () {
        for (const { path } of [...(yield* list(directory))].reverse()) {
          const loaded = yield* Effect.either(load(path))
          if (Either.isRight(loaded)) return { path, checkpoint: loaded.right }
          yield* Effect.logWarning(`${loaded.left.message} Passed over.`)
        }
        return undefined
      }),
    remove: (path) => fs.remove(path, { recursive: true, force: true }).pipe(Effect.mapError(writeError(path)))
  })
})

export const layer: Layer.Layer<CheckpointStore, never, FileSystem.FileSystem | Path.Path> = Layer.effect(
  CheckpointStore,
  make
)
