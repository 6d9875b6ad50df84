/**
 * The job behind `codex generate`: text that continues a prompt, and where it is kept.
 *
 * Kept texts are one file each under `artifacts/infer/`, with a `manifest.json` that says how each was made. Both appear whole,
 * the text first, so the manifest never names a text that is not complete. Processes that keep texts at the same time add their
 * entries in turn, under a lock. The text is the result: what cannot be kept is a warning.
 */
import { createHash } from "node:crypto"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { TensorDatas } from "../core/Backend.ts"
import { GenerationConfig } from "../core/config/RunConfig.ts"
import type { Dataset } from "../core/Dataset.ts"
import * as Json from "../core/data/Json.ts"
import * as Generation from "../core/generation/Generation.ts"
import type { Architecture } from "../core/Model.ts"
import type { Tokenizer } from "../core/Tokenizer.ts"
import * as AtomicFiles from "../services/files/AtomicFiles.ts"
import { FileError } from "../services/files/FileError.ts"
import * as FileLock from "../services/files/FileLock.ts"
import * as TextFile from "../services/files/TextFile.ts"

export interface GenerateOptions {
  readonly architecture: Architecture
  readonly parameters: TensorDatas
  readonly tokenizer: Tokenizer.Service
  readonly config: GenerationConfig
  /** Runs for each token, before its text is in the stream. */
  readonly onToken?: Effect.Effect<void>
  /** Runs when a stop text ends the stream. */
  readonly onStop?: Effect.Effect<void>
}

/**
 * The generated text without the prompt, in pieces; a character is never split. An empty prompt starts where a document
 * starts. Ends after `max_new_tokens`, at the end of the document, or before a stop text.
 */
export const generate = ({
  architecture,
  config,
  onStop,
  onToken = Effect.void,
  parameters,
  tokenizer
}: GenerateOptions) =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const generator = yield* Generation.make(architecture, parameters)
      const prompt = tokenizer.encode(config.prompt)
      const start = prompt.length > 0 ? prompt : Int32Array.of(tokenizer.endOfText ?? 0)
      const options = {
        temperature: config.temperature,
        topK: config.top_k,
        topP: config.top_p,
        repetitionPenalty: config.repetition_penalty,
        seed: config.seed
      }
      const tokens = generator.generate(start, options, tokenizer.endOfText).pipe(
        Stream.take(config.max_new_tokens),
        Stream.tap(() => onToken)
      )
      return tokenizer.decodeStream(tokens).pipe(Generation.endBefore(config.stop, onStop))
    })
  )

/** Why a text ended: `stop` at the end of the document or before a stop text, `length` after `max_new_tokens`. */
export const FinishReason = Schema.Literal("stop", "length")
export type FinishReason = typeof FinishReason.Type

/** A generated text with how long it took. */
export interface GeneratedText {
  readonly prompt: string
  /** The continuation, without the prompt. */
  readonly text: string
  readonly tokens: number
  readonly finishReason: FinishReason
  readonly seed: number
  /** From the start to the last token, in milliseconds. */
  readonly millis: number
  /** Without the first token, before which the graphs are compiled and the prompt is read. NaN for fewer than 2 tokens. */
  readonly tokensPerSecond: number
}

/** Generates a whole text and measures it. `onText` is called with each piece as it comes. */
export const generateMeasured = (
  options: Omit<GenerateOptions, "onToken" | "onStop"> & {
    readonly onText?: (piece: string) => Effect.Effect<void>
  }
) =>
  Effect.gen(function* () {
    const { onText = () => Effect.void } = options
    const { max_new_tokens, prompt, seed } = options.config
    let [text, tokens, stopped] = ["", 0, false]
    let [first, last] = [0, 0]
    const start = yield* Clock.currentTimeMillis
    const onToken = Effect.map(Clock.currentTimeMillis, (now) => {
      if (tokens === 0) first = now
      tokens += 1
      last = now
    })
    const onStop = Effect.sync(() => {
      stopped = true
    })
    yield* Stream.runForEach(generate({ ...options, onToken, onStop }), (piece) => {
      text += piece
      return onText(piece)
    })
    const millis = (yield* Clock.currentTimeMillis) - start
    const tokensPerSecond = tokens < 2 ? Number.NaN : (1000 * (tokens - 1)) / Math.max(1, last - first)
    // A stream that was not stopped and gave fewer tokens has met the end of the document.
    const finishReason: FinishReason = stopped || tokens < max_new_tokens ? "stop" : "length"
    return { prompt, text, tokens, finishReason, seed, millis, tokensPerSecond } satisfies GeneratedText
  })

/** The first words of the held-out text, or else of the training text, for a prompt; empty if there are none. */
export const promptOf = (dataset: Dataset.Service): Effect.Effect<string> =>
  Stream.concat(dataset.documents("validation"), dataset.documents("train")).pipe(
    Stream.map(({ text }) => firstWords(text)),
    Stream.filter((words) => words !== ""),
    Stream.runHead,
    Effect.map(Option.getOrElse(() => "")),
    Effect.orElseSucceed(() => "")
  )

/** At most three words of one line. A config would take `${` for a reference, so the words end before a `$`. */
const firstWords = (text: string): string => {
  const [line = ""] = /[^\n\r$]*[\p{L}\p{N}][^\n\r$]*/u.exec(text.slice(0, 4096)) ?? []
  let [words, end] = [0, 0]
  for (const { index, isWordLike, segment } of new Intl.Segmenter("und", { granularity: "word" }).segment(line)) {
    if (isWordLike !== true) continue
    words += 1
    end = index + segment.length
    if (words === 3) break
  }
  return line.slice(0, Math.min(end, 60)).toWellFormed().trim()
}

/** Where a text comes from. */
const Entry = Schema.Struct({
  file: Schema.String,
  sha256: Schema.String,
  time: Schema.String,
  run: Schema.String,
  checkpoint: Schema.String,
  tokens: Schema.Int,
  /** Entries of versions before 0.2 have none. */
  finish_reason: Schema.optional(FinishReason),
  config: Schema.encodedSchema(GenerationConfig)
})

const Manifest = Json.schema(Schema.Struct({ format: Schema.Literal(1), texts: Schema.Array(Entry) }), {
  space: 2
})

export interface TextToSave {
  readonly run: string
  readonly checkpoint: string
  readonly config: GenerationConfig
  /** Prompt and continuation. */
  readonly text: string
  readonly tokens: number
  readonly finishReason: FinishReason
}

/** Writes a text and its entry in the manifest, and returns the text's path. */
export const saveText = (generated: TextToSave, directory = "artifacts/infer") =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const { checkpoint, config, finishReason, run, text, tokens } = generated
    const now = yield* DateTime.now
    const time = DateTime.formatIso(now)
    const sha256 = createHash("sha256").update(text).digest("hex")
    const manifest = paths.join(directory, "manifest.json")
    yield* Effect.mapError(fs.makeDirectory(directory, { recursive: true }), FileError.from(directory, "write"))
    return yield* FileLock.exclusively(
      `${manifest}.lock`,
      Effect.gen(function* () {
        const file = yield* freeName(directory, `${TextFile.stamp(now)}-${sha256.slice(0, 8)}`)
        const path = paths.join(directory, file)
        const texts = yield* readManifest(manifest)
        yield* AtomicFiles.writeFile(path, text)
        const content = yield* Effect.orDie(
          Schema.encode(Manifest)({
            format: 1,
            texts: [
              ...texts,
              {
                file,
                sha256,
                time,
                run,
                checkpoint,
                tokens,
                finish_reason: finishReason,
                config: Schema.encodeSync(GenerationConfig)(config)
              }
            ]
          })
        )
        yield* AtomicFiles.writeFile(manifest, `${content}\n`)
        return path
      })
    )
  }).pipe(Effect.uninterruptible)

/** A file name that no other text has: the same text may be generated twice in a millisecond. */
const freeName = (
  directory: string,
  name: string,
  count = 1
): Effect.Effect<string, FileError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = (yield* Path.Path).join(directory, `${name}${count === 1 ? "" : `-${count}`}.txt`)
    const taken = yield* Effect.mapError(fs.exists(path), FileError.from(path, "write"))
    return taken ? yield* freeName(directory, name, count + 1) : `${name}${count === 1 ? "" : `-${count}`}.txt`
  })

/** The entries so far. A manifest that cannot be used is set aside, and a warning names it: it must not keep others from working. */
const readManifest = (path: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const failed = FileError.from(path, "read")
    if (!(yield* Effect.mapError(fs.exists(path), failed))) return []
    const read = yield* Effect.either(
      Effect.flatMap(Effect.mapError(TextFile.read(fs, path), failed), Schema.decode(Manifest))
    )
    if (Either.isRight(read)) return read.right.texts
    const reason = read.left._tag === "FileError" ? read.left.details : "it is not a manifest of generated texts"
    yield* TextFile.setAside(path, reason)
    return []
  })
