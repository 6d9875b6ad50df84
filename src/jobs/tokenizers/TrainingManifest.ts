/**
 * manifest.json next to a trained tokenizer: what it was trained on, how, and the result.
 *
 * It has no dates, and no paths other than those that were given, so that training again gives the same bytes. It decides whether
 * another training would change token ids, after which a model that was trained with the old tokenizer could not be used.
 */
import { createHash } from "node:crypto"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { show } from "../../core/config/ConfigIssue.ts"
import type { Dataset } from "../../core/Dataset.ts"
import * as Json from "../../core/data/Json.ts"
import { plural } from "../../core/Plural.ts"
import { version } from "../../core/Version.ts"
import { FileError } from "../../services/files/FileError.ts"
import * as TextFile from "../../services/files/TextFile.ts"

export const fileName = "manifest.json"

const Input = Schema.Struct({ path: Schema.String, bytes: Schema.Number, sha256: Schema.String })
export type Input = typeof Input.Type

const Settings = Schema.Record({ key: Schema.String, value: Schema.Unknown })

export const TrainingManifest = Schema.Struct({
  format: Schema.Literal(1),
  algorithm: Schema.String,
  /** The trainer's config with its defaults. */
  settings: Settings,
  data: Schema.Struct({
    files: Schema.Array(Input),
    /** The field of NDJSON files that was read. */
    field: Schema.optional(Schema.String),
    /** The section of a dataset plugin, and its fingerprint. */
    dataset: Schema.optional(Settings),
    fingerprint: Schema.optional(Schema.String)
  }),
  /** The versions that wrote it. `unicode` matters for character classes and normalization. */
  versions: Schema.Record({ key: Schema.String, value: Schema.String }),
  tokenizer: Schema.optional(
    Schema.Struct({ file: Schema.String, sha256: Schema.String, vocabulary_size: Schema.Number })
  ),
  /** Statistics of the first texts, up to the number of bytes that they state. */
  statistics: Schema.optional(Schema.Unknown)
})
export type TrainingManifest = typeof TrainingManifest.Type

/** What is known before training. */
export type Purpose = Pick<TrainingManifest, "algorithm" | "settings" | "data" | "versions">

export const versions = { codex: version, node: process.versions.node, unicode: process.versions.unicode ?? "" }

const Text = Json.schema(TrainingManifest, { space: 2 })

export const render = (manifest: TrainingManifest): string => `${Schema.encodeSync(Text)(manifest)}\n`

/** The manifest of a directory. Undefined when there is none; fails for one that is damaged or that another program wrote. */
export const read = (
  directory: string
): Effect.Effect<TrainingManifest | undefined, FileError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = (yield* Path.Path).join(directory, fileName)
    return yield* TextFile.read(fs, path).pipe(
      Effect.mapError(FileError.from(path, "read")),
      Effect.flatMap(Schema.decode(Text)),
      Effect.catchTag("ParseError", () => {
        const details = "it is not a manifest of a trained tokenizer"
        return new FileError({ path, operation: "read", details, remedy: "Remove it if no other program needs it." })
      }),
      Effect.catchIf(
        ({ code }) => code === "ENOENT" || code === "ENOTDIR",
        () => Effect.succeed(undefined)
      )
    )
  })

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")

/** A file with its SHA-256, read in pieces. */
export const hashed = ({ bytes, path }: Dataset.File) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const hash = createHash("sha256")
    yield* Stream.runForEach(fs.stream(path, { chunkSize: 1 << 20 }), (piece) => Effect.sync(() => hash.update(piece)))
    return { path, bytes, sha256: hash.digest("hex") }
  }).pipe(Effect.mapError(FileError.from(path, "read")))

/** What differs between two trainings and can change token ids, each as `what: before → after`. */
export const changes = (before: Purpose, after: Purpose): ReadonlyArray<string> => {
  const changed = (key: string, from: unknown, to: unknown) =>
    written(from) === written(to) ? [] : [`${key}: ${written(from)} → ${written(to)}`]
  const keys = [...new Set([...Object.keys(before.settings), ...Object.keys(after.settings)])]
  return [
    ...changed("algorithm", before.algorithm, after.algorithm),
    ...keys.flatMap((key) => changed(key, before.settings[key], after.settings[key])),
    ...dataChange(before.data, after.data),
    ...changed("unicode", before.versions.unicode, after.versions.unicode)
  ]
}

/** Names and order of files do not matter. Their content and how it is read do. */
const dataChange = (before: TrainingManifest["data"], after: TrainingManifest["data"]): ReadonlyArray<string> => {
  const content = ({ dataset, field, files, fingerprint }: TrainingManifest["data"]) =>
    JSON.stringify([files.map((file) => file.sha256).sort(), field, fingerprint, fingerprint === undefined || dataset])
  if (content(before) === content(after)) return []
  const [from, to] = [amount(before), amount(after)]
  return [from === to ? `data: ${from}, with other content` : `data: ${from} → ${to}`]
}

const amount = ({ dataset, field, files }: TrainingManifest["data"]): string => {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  return [
    ...(files.length === 0 ? [] : [`${plural(files.length, "file")} (${bytes} B)`]),
    ...(field === undefined ? [] : [`field ${field}`]),
    ...(dataset === undefined ? [] : [`dataset ${dataset.name}`])
  ].join(", ")
}

/** A value in a message: words without quotation marks. */
const written = (value: unknown): string =>
  value === undefined
    ? "none"
    : Array.isArray(value)
      ? `[${value.map(written).join(", ")}]`
      : typeof value === "string" && /^[\w.+<|>-]+$/.test(value)
        ? value
        : show(value)
