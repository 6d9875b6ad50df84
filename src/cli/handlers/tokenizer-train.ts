/**
 * Trains a tokenizer on files and saves it where configs can name it.
 *
 * The same text and settings give the same bytes, so running the command again changes nothing; a folder that holds another
 * tokenizer is left alone unless `--force` is given.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { DatasetKind } from "../../core/Dataset.ts"
import { Registry } from "../../core/Registry.ts"
import { TokenizerKind } from "../../core/Tokenizer.ts"
import { TokenizerTrainerKind } from "../../core/TokenizerTrainer.ts"
import * as Layers from "../../jobs/Layers.ts"
import { saveTokenizer } from "../../jobs/Parts.ts"
import { bytes, number } from "../Format.ts"
import * as ProgressLine from "../ProgressLine.ts"
import { facts, next, quoted } from "../Report.ts"

/** The folder has other files than those that would be written. */
export class TokenizerExists extends Schema.TaggedError<TokenizerExists>()("TokenizerExists", {
  path: Schema.String,
  file: Schema.String
}) {
  override get message() {
    return `${this.path}: there is another ${this.file} in this folder. Choose another --out, or replace it with --force.`
  }
}

export interface Options {
  readonly data: ReadonlyArray<string>
  readonly vocabSize: number
  readonly out: string
  readonly algorithm: string
  readonly minFrequency: number
  readonly force: boolean
}

export const run = (options: Options) =>
  Effect.gen(function* () {
    const registry = yield* Registry
    const paths = yield* Path.Path
    const dataset = yield* registry.resolve(DatasetKind, "text", {
      paths: options.data,
      validation: { fraction: 0 }
    })
    const trainer = yield* registry.resolve(TokenizerTrainerKind, options.algorithm, {
      vocab_size: options.vocabSize,
      min_frequency: options.minFrequency
    })
    const texts = dataset.documents("train").pipe(Stream.map(({ text }) => text))
    let read = { documents: 0, bytes: 0 }
    const trained = yield* Effect.scoped(
      Effect.gen(function* () {
        const line = yield* ProgressLine.make(process.stderr, { plainEvery: "5 seconds" })
        return yield* trainer.train(texts, {
          onProgress: (progress) => {
            if (progress.phase === "merging") return line.update(`merging: ${progress.merges}/${progress.wanted}`)
            read = progress
            return line.update(`reading: ${progress.documents} documents, ${bytes(progress.bytes)}`)
          }
        })
      })
    )
    if (!options.force) yield* refuseOther(options.out, trained.files)
    yield* saveTokenizer(options.out, trained.files)
    const tokenizer = yield* registry.resolve(TokenizerKind, options.algorithm, { path: options.out })
    const tokens = yield* Stream.runFold(texts, 0, (sum, text) => sum + tokenizer.encode(text).length)
    yield* Console.log(
      [
        `${trained.vocabularySize} tokens from ${read.documents} document${read.documents === 1 ? "" : "s"}, ` +
          `${bytes(read.bytes)}. One token stands for ${number(read.bytes / tokens, 3)} bytes of that text.`,
        "",
        facts(Object.keys(trained.files).map((file) => ["Tokenizer", paths.join(options.out, file)])),
        "",
        next([
          `codex train data.paths=${quoted(JSON.stringify(options.data))} tokenizer.path=${quoted(options.out)} ~tokenizer.train`
        ])
      ].join("\n")
    )
  }).pipe(Effect.scoped, Effect.provide([Layers.files(), Layers.registry()]))

/** Fails when the folder has a file of these names with other content. */
const refuseOther = (directory: string, files: { readonly [name: string]: string }) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    for (const [file, content] of Object.entries(files)) {
      const present = yield* Effect.option(fs.readFileString(paths.join(directory, file)))
      if (present._tag === "Some" && present.value !== content) {
        return yield* new TokenizerExists({ path: directory, file })
      }
    }
  })
