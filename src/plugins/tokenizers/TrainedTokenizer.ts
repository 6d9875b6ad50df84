/**
 * What the plugins of trainable algorithms share: loading a tokenizer.json whose model is of that algorithm, and training with
 * temporary files for words that do not fit in memory.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as FileFault from "../../core/data/FileFault.ts"
import { TokenizerFileError } from "../../core/Tokenizer.ts"
import { TokenizerTrainError, type TokenizerTrainer } from "../../core/TokenizerTrainer.ts"
import * as Pipeline from "../../core/tokenizer/Pipeline.ts"
import type { TokenizerJson } from "../../core/tokenizer/TokenizerJson.ts"
import * as TokenizerTraining from "../../core/tokenizer/training/TokenizerTraining.ts"
import type { AcquireStorage } from "../../core/tokenizer/training/WordSpill.ts"
import { locate, readText } from "./TokenizerFolder.ts"

export const Config = Schema.Struct({
  path: Schema.NonEmptyString.annotations({
    description: "A tokenizer.json, or its directory.",
    examples: ["artifacts/tokenizers/notes"]
  })
})

const remedy = "Train a tokenizer with `codex tokenizer train`, or give the path of a tokenizer.json."

/** Loads a file whose model has the given type. */
export const load = (type: TokenizerJson["model"]["type"], { path }: typeof Config.Type) =>
  Effect.gen(function* () {
    const file = yield* locate(path, [Pipeline.fileName], remedy)
    const definition = yield* Effect.flatMap(readText(file, remedy), (text) => Pipeline.parse(text, file))
    if (definition.model.type !== type) {
      return yield* new TokenizerFileError({
        path: file,
        key: "model.type",
        details: `is ${definition.model.type}, but ${type} is expected.`,
        remedy: "The plugin huggingface reads tokenizers of any type."
      })
    }
    return yield* Pipeline.make(definition, { path: file })
  })

/** The trainer of an algorithm. */
export const trainer = (
  algorithm: TokenizerTraining.Algorithm
): Effect.Effect<TokenizerTrainer.Service, never, FileSystem.FileSystem> =>
  Effect.map(FileSystem.FileSystem, (fs) => TokenizerTraining.make(algorithm, temporaryFiles(fs)))

/** Files in a temporary directory, which is removed with the scope. */
export const temporaryFiles = (fs: FileSystem.FileSystem): AcquireStorage =>
  Effect.map(translated(fs.makeTempDirectoryScoped({ prefix: "codex-words-" })), (directory) => ({
    create: (file) =>
      Effect.map(
        translated(fs.open(`${directory}/${file}`, { flag: "wx" })),
        (opened) => (bytes) => translated(opened.writeAll(bytes))
      ),
    open: (file) =>
      Effect.map(
        translated(fs.open(`${directory}/${file}`, { flag: "r" })),
        (opened) => (bytes) => translated(Effect.map(opened.readAlloc(FileSystem.Size(bytes)), Option.getOrUndefined))
      )
  }))

const translated = <A, R>(effect: Effect.Effect<A, PlatformError, R>) =>
  Effect.mapError(
    effect,
    (cause) =>
      new TokenizerTrainError({
        details: `The text has more distinct words than fit in memory, and the temporary file for them failed: ${FileFault.of(cause).details}.`,
        remedy: "Free space in the directory for temporary files, or set TMPDIR to another directory."
      })
  )
