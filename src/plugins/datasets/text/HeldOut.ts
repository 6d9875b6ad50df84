/**
 * What the datasets of files have in common: the keys `paths`, `validation` and `seed`, and the parts of files that they
 * give each split.
 *
 * Which files are held out is the rule of Split.ts. A single file is cut, at a byte that the caller finds near the one that
 * the rule names: only it knows where documents end.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { DatasetError, type Split } from "../../../core/Dataset.ts"
import type { Range } from "./Documents.ts"
import * as Files from "./Files.ts"
import * as SplitRule from "./Split.ts"

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

/** The keys of a config. `files` says which files of a folder are meant. */
export const fields = (files: string, example: string) => ({
  paths: Paths.annotations({
    description: `Files, folders (their ${files} files) or patterns, in this order; those of a pattern in natural order.`,
    examples: [example]
  }),
  validation: Schema.optionalWith(Validation, { exact: true, default: () => ({ fraction: 0.1 }) }).annotations({
    description: "What is held out: fraction, every or paths."
  }),
  seed: Schema.optionalWith(Schema.Int, { default: () => 42 }).annotations({
    description: "Draws the files of validation.fraction."
  })
})

export interface Config {
  readonly paths: typeof Paths.Type
  readonly validation: typeof Validation.Type
  readonly seed: number
}

export type Ranges = { readonly [split in Split]: ReadonlyArray<Range> }

/** The parts of files that each split has. */
export const ranges = <R>(
  { paths, seed, validation }: Config,
  options: {
    /** Ends of the names that are meant by a folder. */
    readonly extensions?: ReadonlyArray<string>
    /** Where to cut a file: near this byte, between documents. */
    readonly cutNear: (file: Files.TextFile, near: number) => Effect.Effect<number, DatasetError, R>
  }
): Effect.Effect<Ranges, DatasetError, FileSystem.FileSystem | Path.Path | R> =>
  Effect.gen(function* () {
    const { every, fraction } = validation
    const files = yield* Files.find(listOf(paths), options.extensions)
    if (validation.paths !== undefined) {
      return yield* heldOutByPath(files, listOf(validation.paths), options.extensions)
    }
    const rule = every === undefined ? { fraction: fraction ?? 0, seed } : { every }
    const assignment = SplitRule.assign(files, rule)
    if (!("cut" in assignment)) {
      return { train: assignment.train.map(whole), validation: assignment.validation.map(whole) }
    }
    const file = assignment.cut
    const cut = yield* options.cutNear(file, assignment.near)
    return { train: [{ file, start: 0, end: cut }], validation: [{ file, start: cut, end: file.bytes }] }
  })

/** Files that are named for both splits are held out. */
const heldOutByPath = (
  files: ReadonlyArray<Files.TextFile>,
  patterns: ReadonlyArray<string>,
  extensions: ReadonlyArray<string> | undefined
) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const validation = yield* Files.find(patterns, extensions)
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

const whole = (file: Files.TextFile): Range => ({ file, start: 0, end: file.bytes })
