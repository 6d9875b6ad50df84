/**
 * codex tokenizer train --data 'notes/*.txt' --vocab-size 2048 --out artifacts/tokenizers/notes
 *
 *     $ codex tokenizer train --algorithm bpe --vocab-size 2048 --data 'notes/*.txt' --out artifacts/tokenizers/notes
 *     2048 tokens from 12 files, 1.2 MB
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Arr from "effect/Array"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Json from "../../core/data/Json.ts"
import { load } from "../Handler.ts"
import { count, force } from "../Options.ts"
import { data, field, withRegistry } from "../TokenizerOptions.ts"
import { usageError } from "../UsageError.ts"

const sizesOf = (text: string): Option.Option<Arr.NonEmptyReadonlyArray<number>> => {
  const sizes = text.split(",").map((size) => (/^\s*\d+\s*$/.test(size) ? Number(size) : 0))
  return Arr.isNonEmptyReadonlyArray(sizes) && sizes.every((size) => size > 0 && Number.isSafeInteger(size))
    ? Option.some(sizes)
    : Option.none()
}

/** `nfkc,lowercase`, or the option repeated. */
const list = (name: string, description: string) =>
  Options.text(name).pipe(
    Options.withDescription(description),
    Options.repeated,
    Options.map((words) => words.flatMap((word) => word.split(",")).filter((word) => word.trim() !== ""))
  )

const options = {
  data,
  field,
  dataset: Options.text("dataset").pipe(
    Options.withDescription("A dataset plugin to read texts from, in addition to --data. Set its config with --set."),
    Options.optional
  ),
  set: Options.text("set").pipe(
    Options.withDescription("key=value of the dataset's config. The value is JSON or plain text. Can be repeated."),
    Options.repeated
  ),
  algorithm: Options.text("algorithm").pipe(
    Options.withDescription("A tokenizer-trainer plugin: bpe, wordpiece, unigram, wordlevel, … Default: bpe"),
    Options.optional
  ),
  vocabSize: Options.text("vocab-size").pipe(
    Options.withDescription(
      "Number of token ids, including special tokens. Several sizes (2000,8000) are trained together, each in its own directory in --out. Default: 4096"
    ),
    Options.filterMap(
      sizesOf,
      'Option "--vocab-size" must be a whole number, at least 1, or several separated by commas.'
    ),
    Options.withDefault([4096] as const)
  ),
  out: Options.text("out").pipe(Options.withDescription("The directory for tokenizer.json and its manifest.")),
  minFrequency: count("min-frequency").pipe(
    Options.withDescription("Words or pairs with a lower count are not learned. Default: that of the algorithm"),
    Options.optional
  ),
  specialToken: Options.text("special-token").pipe(
    Options.withDescription("A token that no text encodes to. Can be repeated. Default: those of the algorithm"),
    Options.repeated
  ),
  normalizer: list(
    "normalizer",
    "nfc, nfd, nfkc, nfkd, lowercase, strip_accents: applied in the given order. Separated by commas or repeated."
  ),
  preTokenizer: list(
    "pre-tokenizer",
    "gpt2, gpt4, o200k, whitespace, digits, metaspace, bert. Separated by commas or repeated."
  ),
  byteFallback: Options.boolean("byte-fallback").pipe(
    Options.withDescription("Characters that are not in the vocabulary become tokens of their bytes.")
  ),
  limitAlphabet: count("limit-alphabet").pipe(
    Options.withDescription("Largest number of distinct characters. Default: all"),
    Options.optional
  ),
  force: force("Replace another tokenizer in the directory."),
  dryRun: Options.boolean("dry-run").pipe(Options.withDescription("Show what would be done, without writing anything."))
}

export const train = Command.make(
  "train",
  options,
  withRegistry((options) =>
    Effect.gen(function* () {
      const [Job, { ChangeJournal }, ProgressLine, Report] = yield* load(() =>
        Promise.all([
          import("../../jobs/tokenizers/trainTokenizer.ts"),
          import("../../services/logs/ChangeJournal.ts"),
          import("../render/ProgressLine.ts"),
          import("../render/TokenizerTrainReport.ts")
        ])
      )
      const algorithm = Option.getOrElse(options.algorithm, () => Job.defaultAlgorithm)
      const data = {
        paths: options.data,
        field: Option.getOrUndefined(options.field),
        dataset: yield* datasetOf(options)
      }
      const job = { algorithm, sizes: options.vocabSize, settings: settingsOf(options), data, out: options.out }
      if (options.dryRun) return yield* Console.log(Report.planText(yield* Job.planTokenizer(job)))
      const { plan, trained } = yield* Effect.scoped(
        Effect.gen(function* () {
          const line = yield* ProgressLine.make(process.stderr, { plainEvery: "5 seconds" })
          const onProgress = (progress: Parameters<typeof Report.progressText>[0]) =>
            line.update(Report.progressText(progress))
          return yield* Job.trainTokenizer({ ...job, force: options.force, onProgress })
        })
      )
      yield* Effect.forEach(Report.replacedTexts(plan), Console.error)
      const directories = plan.targets.map(({ directory }) => directory).join(", ")
      yield* ChangeJournal.result(`${algorithm} tokenizer: ${directories}`)
      yield* Console.log(Report.trainedText(trained, options.data))
    })
  )
).pipe(
  Command.withDescription(
    "Train a tokenizer on text. The same text and settings give the same files. " +
      "Example: codex tokenizer train --data 'notes/*.txt' --vocab-size 2048 --out artifacts/tokenizers/notes"
  )
)

/** The values of the options. */
type TrainOptions = Command.Command.ParseConfig<typeof options>

/** The keys of the trainer's config that were given. The trainer has defaults for the others. */
const settingsOf = (options: TrainOptions): { readonly [key: string]: unknown } => {
  const [only, ...more] = options.preTokenizer
  return {
    ...Option.match(options.minFrequency, { onNone: () => ({}), onSome: (value) => ({ min_frequency: value }) }),
    ...Option.match(options.limitAlphabet, { onNone: () => ({}), onSome: (value) => ({ limit_alphabet: value }) }),
    ...(options.specialToken.length === 0 ? {} : { special_tokens: options.specialToken }),
    ...(options.normalizer.length === 0 ? {} : { normalizer: options.normalizer }),
    ...(only === undefined ? {} : { pre_tokenizer: more.length === 0 ? only : options.preTokenizer }),
    ...(options.byteFallback ? { byte_fallback: true } : {})
  }
}

/** The section of a dataset plugin. `key=value` has a value in JSON where it is JSON, and dots between the keys of maps. */
const datasetOf = ({ dataset, set }: TrainOptions) =>
  Effect.gen(function* () {
    if (Option.isNone(dataset)) {
      return set.length === 0
        ? undefined
        : yield* usageError("--set is the config of a dataset: name its plugin with --dataset.")
    }
    const section: Record<string, unknown> = {}
    for (const word of set) {
      const [, keys, value] = /^([\w.]+)=([\s\S]*)$/.exec(word) ?? []
      if (keys === undefined || value === undefined) {
        return yield* usageError(`--set ${JSON.stringify(word)} must be key=value.`)
      }
      const json = Either.getOrElse(Json.parse(value), () => value)
      const [first, ...rest] = keys.split(".")
      const inner = rest.reduceRight((nested, key) => ({ [key]: nested }), json)
      const before = section[first!]
      // The configs of datasets have one level of maps.
      section[first!] = Predicate.isRecord(before) && Predicate.isRecord(inner) ? { ...before, ...inner } : inner
    }
    return { ...section, name: dataset.value }
  })
