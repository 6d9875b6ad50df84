/**
 * Plain text files as documents, split into training and validation.
 *
 * One file is one document (a file above `document_bytes` is several, Documents.ts); which files are held out is the rule
 * of Split.ts. Text must be UTF-8. The fingerprint is over the text of the documents, split by split, not over names or
 * times, and reads everything. It does not clean, deduplicate or shuffle.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { DatasetError, DatasetKind, type Split } from "../../core/Dataset.ts"
import * as Plugin from "../../core/Plugin.ts"
import * as Documents from "./text/Documents.ts"
import * as Files from "./text/Files.ts"
import * as SplitRule from "./text/Split.ts"

const Paths = Schema.Union(Schema.NonEmptyString, Schema.NonEmptyArray(Schema.NonEmptyString))

const Validation = Schema.Struct({
  fraction: Schema.optional(
    Schema.Number.pipe(Schema.between(0, 1)).annotations({
      description: "Share of the files, drawn by the seed; of a single file the end. 0 holds nothing out, 1 everything."
    })
  ),
  every: Schema.optional(
    Schema.Int.pipe(Schema.positive()).annotations({ description: "Every n-th file; of a single file the last n-th." })
  ),
  paths: Schema.optional(Paths.annotations({ description: "Files or patterns of their own." }))
}).pipe(
  Schema.filter(
    (rule) =>
      Object.values(rule).filter((value) => value !== undefined).length === 1 ||
      "exactly one of fraction, every and paths is expected"
  )
)

export const Config = Schema.Struct({
  paths: Paths.annotations({
    description: "Files, folders (their .txt files) or patterns, in this order; those of a pattern in natural order.",
    examples: ["notes/*.txt"]
  }),
  validation: Schema.optionalWith(Validation, { exact: true, default: () => ({ fraction: 0.1 }) }).annotations({
    description: "What is held out: fraction, every or paths."
  }),
  seed: Schema.optionalWith(Schema.Int, { default: () => 42 }).annotations({
    description: "Draws the files of validation.fraction."
  }),
  document_bytes: Schema.optionalWith(Schema.Int.pipe(Schema.greaterThanOrEqualTo(4)), {
    default: () => 16 * 1024 * 1024
  }).annotations({
    description: "A file longer than this many bytes is several documents, cut at line breaks."
  })
})

export const TextDataset = Plugin.make(DatasetKind, "text", {
  description: "text files, split into training and validation",
  config: Config,
  make: (config) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const ranges = yield* rangesOf(config)
      const documents = (split: Split) =>
        Stream.fromIterable(ranges[split]).pipe(
          Stream.flatMap((range) => Documents.read(range, config.document_bytes)),
          Stream.provideService(FileSystem.FileSystem, fs)
        )
      return { documents, fingerprint: fingerprint(documents) }
    })
})

type Ranges = { readonly [split in Split]: ReadonlyArray<Documents.Range> }

const rangesOf = (config: typeof Config.Type): Effect.Effect<Ranges, DatasetError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const { every, fraction, paths } = config.validation
    const files = yield* Files.find(listOf(config.paths))
    if (paths !== undefined) return yield* heldOutByPath(files, listOf(paths))
    const rule = every === undefined ? { fraction: fraction ?? 0, seed: config.seed } : { every }
    const assignment = SplitRule.assign(files, rule)
    if (!("cut" in assignment)) {
      return { train: assignment.train.map(whole), validation: assignment.validation.map(whole) }
    }
    const file = assignment.cut
    const cut = yield* Documents.cutNear(file, assignment.near)
    return { train: [{ file, start: 0, end: cut }], validation: [{ file, start: cut, end: file.bytes }] }
  })

/** Files that are named for both splits are held out. */
const heldOutByPath = (files: ReadonlyArray<Files.TextFile>, patterns: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const validation = yield* Files.find(patterns)
    const held = new Set(validation.map((file) => path.resolve(file.path)))
    const train = files.filter((file) => !held.has(path.resolve(file.path)))
    if (train.length > 0) return { train: train.map(whole), validation: validation.map(whole) }
    return yield* new DatasetError({
      reason: "Empty",
      path: patterns.join(", "),
      details: "every file is held out for validation, so there is nothing to train on.",
      remedy: "Hold out fewer files in validation.paths, or name more in paths."
    })
  })

const listOf = (paths: string | ReadonlyArray<string>) => (typeof paths === "string" ? [paths] : paths)

const whole = (file: Files.TextFile): Documents.Range => ({ file, start: 0, end: file.bytes })

/**
 * A chain over the splits and their documents: each link is the SHA-256 of the link before it, of what follows (a split or
 * a document) and of its own SHA-256, so that no two datasets look alike, and no more than a document is held.
 */
const fingerprint = <E>(documents: (split: Split) => Stream.Stream<{ readonly text: string }, E>) =>
  Effect.gen(function* () {
    const encoder = new TextEncoder()
    let chain = new Uint8Array(32)
    const link = (what: "split" | "document", text: string) =>
      Effect.gen(function* () {
        const own = yield* sha256(encoder.encode(text))
        chain = yield* sha256(Uint8Array.from([...chain, ...encoder.encode(what), ...own]))
      })
    for (const split of ["train", "validation"] as const) {
      yield* link("split", split)
      yield* Stream.runForEach(documents(split), ({ text }) => link("document", text))
    }
    return Encoding.encodeHex(chain)
  })

const sha256 = (bytes: Uint8Array<ArrayBuffer>) =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", bytes)),
    (digest) => new Uint8Array(digest)
  )
