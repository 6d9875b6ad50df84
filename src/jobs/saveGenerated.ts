/**
 * Keeps generated text: one file a text under `artifacts/infer/`, and `manifest.json`, which says how each was made.
 *
 * Both are written beside their place and renamed, text first, so the manifest never names a text that is not whole.
 */
import { createHash } from "node:crypto"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { GenerationConfig } from "../core/config/RunConfig.ts"

/** What is known of one text. */
const Entry = Schema.Struct({
  file: Schema.String,
  sha256: Schema.String,
  time: Schema.String,
  run: Schema.String,
  checkpoint: Schema.String,
  tokens: Schema.Number,
  config: Schema.encodedSchema(GenerationConfig)
})

const Manifest = Schema.parseJson(Schema.Struct({ format: Schema.Literal(1), texts: Schema.Array(Entry) }), {
  space: 2
})

/** Generated text that could not be kept. */
export class KeepTextError extends Schema.TaggedError<KeepTextError>()("KeepTextError", {
  path: Schema.String,
  details: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${this.path}: ${this.details} ${this.remedy}`
  }
}

export interface Generated {
  readonly run: string
  readonly checkpoint: string
  readonly config: GenerationConfig
  /** Prompt and continuation. */
  readonly text: string
  readonly tokens: number
}

/** Writes a text and its entry, and returns the text's path. */
export const saveGenerated = (generated: Generated, directory = "artifacts/infer") =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const { checkpoint, config, run, text, tokens } = generated
    const time = DateTime.formatIso(yield* DateTime.now)
    const sha256 = createHash("sha256").update(text).digest("hex")
    const file = `${time.replace(/[-:.]/g, "").replace("T", "-").slice(0, 18)}-${sha256.slice(0, 8)}.txt`
    const path = paths.join(directory, file)
    const manifest = paths.join(directory, "manifest.json")
    const write = (target: string, content: string) =>
      Effect.zipRight(
        fs.writeFileString(`${target}.${process.pid}.tmp`, content),
        fs.rename(`${target}.${process.pid}.tmp`, target)
      )
    return yield* Effect.gen(function* () {
      yield* fs.makeDirectory(directory, { recursive: true })
      const before = (yield* fs.exists(manifest))
        ? yield* Schema.decode(Manifest)(yield* fs.readFileString(manifest))
        : { format: 1 as const, texts: [] }
      yield* write(path, text)
      const entry = { file, sha256, time, run, checkpoint, tokens, config: Schema.encodeSync(GenerationConfig)(config) }
      yield* write(manifest, `${Schema.encodeSync(Manifest)({ ...before, texts: [...before.texts, entry] })}\n`)
      return path
    }).pipe(
      Effect.uninterruptible,
      Effect.mapError((cause) =>
        cause._tag === "ParseError"
          ? new KeepTextError({
              path: manifest,
              details: "is no manifest of generated texts.",
              remedy: "Move it away."
            })
          : new KeepTextError({
              path: directory,
              details: `the text could not be kept: ${cause.message}.`,
              remedy: "Check space and permissions."
            })
      )
    )
  })
