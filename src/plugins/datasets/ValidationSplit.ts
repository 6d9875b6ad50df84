/**
 * Which text a dataset holds out for validation: the config keys `validation` and `seed`, and the rule behind them.
 *
 * The rule looks at the list of items (files, or documents in memory), not at their text. Several items are held out whole.
 * `fraction` draws round(fraction · n) of them by the seed, and leaves at least one item on each side; `every: k` takes items
 * k, 2k, …, and the last one when there are fewer than k. A single item is cut once, and its end is held out: the last
 * `fraction` of it, or the last 1/k. 0 holds nothing out; 1 holds everything out.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { DatasetError, type Split } from "../../core/Dataset.ts"
import { scramble } from "../../core/data/DataOrder.ts"
import { Count, Seed, Share } from "../../core/Numbers.ts"
import * as TextFiles from "./TextFiles.ts"

const Paths = Schema.Union(Schema.NonEmptyString, Schema.NonEmptyArray(Schema.NonEmptyString))

const rules = (items: string, item: string) => ({
  fraction: Schema.optional(
    Share.annotations({
      description: `Share of the ${items}, drawn by the seed; of a single ${item} the end. 0 holds nothing out, 1 everything.`
    })
  ),
  every: Schema.optional(
    Count.annotations({
      description: `Every n-th ${item}; of a single ${item} the last n-th.`
    })
  )
})

const exactlyOne =
  (names: string) =>
  (rule: object): boolean | string => {
    const given = Object.entries(rule).flatMap(([key, value]) => (value === undefined ? [] : [key]))
    const all = given.length === 0 ? "none" : given.join(" and ")
    return given.length === 1 || `exactly one of ${names} is expected, and there is ${all}`
  }

const Validation = Schema.Struct(rules("documents", "document")).pipe(Schema.filter(exactlyOne("fraction and every")))

const FileValidation = Schema.Struct({
  ...rules("files", "file"),
  paths: Schema.optional(Paths.annotations({ description: "Files or patterns that are held out." }))
}).pipe(Schema.filter(exactlyOne("fraction, every and paths")))

const tenth = () => ({ fraction: 0.1 })

const seed = Schema.optionalWith(Seed, { default: () => 42 }).annotations({
  description: "The seed that draws what validation.fraction holds out."
})

/** The keys of a dataset whose documents are given in its config. */
export const fields = {
  validation: Schema.optionalWith(Validation, { exact: true, default: tenth }).annotations({
    description: "What is held out: fraction or every."
  }),
  seed
}

/** The keys of a dataset of files. `files` says which files of a directory are meant. */
export const fileFields = (files: string, example: string) => ({
  paths: Paths.annotations({
    description: `Files, directories (their ${files} files) or patterns, in this order; those of a pattern in natural order.`,
    examples: [example]
  }),
  validation: Schema.optionalWith(FileValidation, { exact: true, default: tenth }).annotations({
    description: "What is held out: fraction, every or paths."
  }),
  seed,
  if_missing: Schema.optional(
    Schema.Record({ key: Schema.String, value: Schema.String }).annotations({
      description:
        "For a path or pattern of `paths`: what to do if there are no such files. It ends the error's message."
    })
  )
})

/** What `assign` decides by. */
export type Rule = { readonly fraction: number; readonly seed: number } | { readonly every: number }

/** The rule of a decoded config. */
export const ruleOf = (config: {
  readonly validation: { readonly fraction?: number | undefined; readonly every?: number | undefined }
  readonly seed: number
}): Rule => {
  const { every, fraction = 0 } = config.validation
  return every === undefined ? { fraction, seed: config.seed } : { every }
}

/** Whole items for each split, or the only item and the size near which it is to be cut. */
export type Assignment<A> = { readonly [split in Split]: ReadonlyArray<A> } | { readonly cut: A; readonly near: number }

/** Applies the rule to a list. `sizeOf` is only called for a single item. */
export const assign = <A>(items: ReadonlyArray<A>, rule: Rule, sizeOf: (item: A) => number): Assignment<A> => {
  const share = "every" in rule ? 1 / rule.every : rule.fraction
  const only = items.length === 1 ? items[0] : undefined
  if (only !== undefined && share > 0 && share < 1) {
    return { cut: only, near: Math.max(1, Math.floor(sizeOf(only) * (1 - share))) }
  }
  const held = share === 0 ? () => false : share === 1 ? () => true : heldOut(items.length, rule)
  return { train: items.filter((_, i) => !held(i)), validation: items.filter((_, i) => held(i)) }
}

const heldOut = (n: number, rule: Rule): ((index: number) => boolean) => {
  if ("every" in rule) {
    return n < rule.every ? (index) => index === n - 1 : (index) => (index + 1) % rule.every === 0
  }
  const count = Math.min(n - 1, Math.max(1, Math.round(rule.fraction * n)))
  const drawn = new Set(
    Array.from({ length: n }, (_, index) => ({ index, draw: scramble(scramble(rule.seed) ^ index) }))
      .sort((a, b) => a.draw - b.draw || a.index - b.index)
      .slice(0, count)
      .map(({ index }) => index)
  )
  return (index) => drawn.has(index)
}

/** The decoded keys of `fileFields`. */
export interface FileConfig {
  readonly paths: typeof Paths.Type
  readonly validation: typeof FileValidation.Type
  readonly seed: number
  readonly if_missing?: { readonly [path: string]: string } | undefined
}

/** All files, and the parts of them that each split consists of. */
export interface Ranges {
  readonly files: ReadonlyArray<TextFiles.TextFile>
  readonly train: ReadonlyArray<TextFiles.FileRange>
  readonly validation: ReadonlyArray<TextFiles.FileRange>
}

/** Finds the files of a config and splits them. A single file is cut where `cutNear` says, since it knows the documents. */
export const ranges = <R>(
  config: FileConfig,
  options: {
    /** Extensions of the files that a directory means. */
    readonly extensions: ReadonlyArray<string>
    /** Where to cut a file: near this byte, between documents. */
    readonly cutNear: (file: TextFiles.TextFile, near: number) => Effect.Effect<number, DatasetError, R>
  }
): Effect.Effect<Ranges, DatasetError, FileSystem.FileSystem | Path.Path | R> =>
  Effect.gen(function* () {
    const files = yield* Effect.mapError(TextFiles.find(listOf(config.paths), options.extensions), (error) =>
      error.reason === "NotFound"
        ? new DatasetError({ ...error, remedy: config.if_missing?.[error.path] ?? error.remedy })
        : error
    )
    if (config.validation.paths !== undefined) {
      return yield* heldOutByPath(files, listOf(config.validation.paths), options.extensions)
    }
    const assignment = assign(files, ruleOf(config), ({ bytes }) => bytes)
    if (!("cut" in assignment)) {
      return { files, train: assignment.train.map(whole), validation: assignment.validation.map(whole) }
    }
    const file = assignment.cut
    const cut = yield* options.cutNear(file, assignment.near)
    const [train, validation] = [
      { file, start: 0, end: cut },
      { file, start: cut, end: file.bytes }
    ]
    return { files, train: [train], validation: [validation] }
  })

/** Files that are named for both splits, by whichever of their names, are held out. */
const heldOutByPath = (
  files: ReadonlyArray<TextFiles.TextFile>,
  patterns: ReadonlyArray<string>,
  extensions: ReadonlyArray<string>
) =>
  Effect.gen(function* () {
    const validation = yield* TextFiles.find(patterns, extensions)
    const held = new Set(validation.map(({ key }) => key))
    const train = files.filter(({ key }) => !held.has(key))
    if (train.length > 0) {
      return { files: [...train, ...validation], train: train.map(whole), validation: validation.map(whole) }
    }
    return yield* new DatasetError({
      reason: "Empty",
      path: patterns.join(", "),
      details: "every file is held out for validation, so there is nothing to train on.",
      remedy: "Hold out fewer files in validation.paths, or add more to paths."
    })
  })

const listOf = (paths: string | ReadonlyArray<string>) => (typeof paths === "string" ? [paths] : paths)

const whole = (file: TextFiles.TextFile): TextFiles.FileRange => ({ file, start: 0, end: file.bytes })
