/**
 * Trains a tokenizer on texts and saves it where configs can name it, or shows what that would do.
 */
import * as Path from "@effect/platform/Path"
import type * as Arr from "effect/Array"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Layers from "../../jobs/Environment.ts"
import * as Job from "../../jobs/tokenizers/trainTokenizer.ts"
import { ChangeJournal } from "../../services/logs/ChangeJournal.ts"
import { bytes } from "../render/Format.ts"
import * as ProgressLine from "../render/ProgressLine.ts"
import { facts, nextCommands, shellWord, table } from "../render/Table.ts"
import { share, statisticsText } from "../render/TokenizerReport.ts"
import { usageError } from "../UsageError.ts"

export interface Options {
  readonly data: ReadonlyArray<string>
  readonly field: Option.Option<string>
  readonly dataset: Option.Option<string>
  readonly set: ReadonlyArray<string>
  readonly algorithm: string
  readonly vocabSize: Arr.NonEmptyReadonlyArray<number>
  readonly out: string
  readonly minFrequency: Option.Option<number>
  readonly specialToken: ReadonlyArray<string>
  readonly normalizer: ReadonlyArray<string>
  readonly preTokenizer: ReadonlyArray<string>
  readonly byteFallback: boolean
  readonly limitAlphabet: Option.Option<number>
  readonly force: boolean
  readonly dryRun: boolean
}

export const run = (options: Options) =>
  Effect.gen(function* () {
    const job = {
      algorithm: options.algorithm,
      sizes: options.vocabSize,
      settings: settingsOf(options),
      data: {
        paths: options.data,
        field: Option.getOrUndefined(options.field),
        dataset: yield* datasetOf(options)
      },
      out: options.out
    }
    if (options.dryRun) return yield* Console.log(planText(yield* Job.planTokenizer(job), options))
    const { plan, trained } = yield* Effect.scoped(
      Effect.gen(function* () {
        const line = yield* ProgressLine.make(process.stderr, { plainEvery: "5 seconds" })
        return yield* Job.trainTokenizer({
          ...job,
          force: options.force,
          onProgress: (progress) => line.update(progressText(progress))
        })
      })
    )
    for (const { changes, directory } of plan.targets) {
      if (changes !== undefined) {
        yield* Console.error(`${directory}: another tokenizer was replaced. ${Job.idsChange(changes)}`)
      }
    }
    yield* ChangeJournal.result(
      `${options.algorithm} tokenizer: ${plan.targets.map(({ directory }) => directory).join(", ")}`
    )
    yield* Console.log(yield* trainedText(trained, options))
  }).pipe(Effect.scoped, Effect.provide([Layers.files(), Layers.registry()]))

/** The keys that were given; the rest are the trainer's to say. */
const settingsOf = (options: Options): { readonly [key: string]: unknown } => {
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

/** A dataset plugin's section: `key=value` with the value as JSON where it is JSON, dots between keys of maps. */
const datasetOf = ({ dataset, set }: Options) =>
  Effect.gen(function* () {
    if (Option.isNone(dataset)) {
      return set.length === 0
        ? undefined
        : yield* usageError("--set is the config of a dataset: name its plugin by --dataset.")
    }
    const section: Record<string, unknown> = {}
    for (const word of set) {
      const [, keys, value] = /^([\w.]+)=([\s\S]*)$/.exec(word) ?? []
      if (keys === undefined || value === undefined) {
        return yield* usageError(`--set ${JSON.stringify(word)} must be key=value.`)
      }
      const json = yield* Effect.orElseSucceed(
        Effect.try((): unknown => JSON.parse(value)),
        () => value
      )
      const [first = "", ...rest] = keys.split(".")
      const before = section[first]
      section[first] = rest.reduceRight((inner, key) => ({ [key]: inner }), json)
      // One level of maps is all that the configs of datasets have.
      if (typeof before === "object" && rest.length > 0) section[first] = { ...before, ...Object(section[first]) }
    }
    return { ...section, name: dataset.value }
  })

const progressText = (progress: Job.TrainTokenizerProgress): string => {
  switch (progress.phase) {
    case "learning":
      return `learning: ${progress.done}/${progress.wanted} ${progress.of}`
    case "counting":
      return `reading: ${progress.documents} documents, ${bytes(progress.bytes)}`
    case "measuring":
      return `measuring: ${progress.documents} documents, ${bytes(progress.bytes)}`
  }
}

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`

const planText = ({ data, settings, targets }: Job.TokenizerPlan, options: Options): string => {
  const total = data.files.reduce((sum, file) => sum + file.bytes, 0)
  const shown = data.files.slice(0, 20)
  return [
    ...(data.files.length === 0
      ? []
      : [
          table(
            [{ title: "file" }, { title: "bytes", align: "right" }, { title: "SHA-256" }],
            shown.map((file) => [file.path, `${file.bytes}`, file.sha256.slice(0, 16)])
          ),
          ...(shown.length < data.files.length ? [`… and ${data.files.length - shown.length} more`] : []),
          ""
        ]),
    facts([
      ["Data", `${counted(data.files.length, "file")}, ${bytes(total)}`],
      ...(data.field === undefined ? [] : [["Field", data.field] as const]),
      ...(data.dataset === undefined ? [] : [["Dataset", JSON.stringify(data.dataset)] as const]),
      ["Algorithm", options.algorithm],
      ...Object.entries(settings).flatMap(([key, value]) =>
        key === "vocab_size" || value === undefined ? [] : [[key, JSON.stringify(value)] as const]
      )
    ]),
    "",
    table(
      [{ title: "vocab_size", align: "right" }, { title: "folder" }, { title: "what is there" }],
      targets.map((target) => [`${target.size}`, target.directory, presentText(target)])
    ),
    "",
    "Nothing was written. Leave out --dry-run to train."
  ].join("\n")
}

const presentText = (target: Job.Target): string => {
  if (target.present.length === 0) return "nothing"
  if (target.same) return "the same, which is written again"
  return `another tokenizer, which --force replaces${target.changes === undefined ? "" : `: ${Job.idsChange(target.changes)}`}`
}

const trainedText = (trained: ReadonlyArray<Job.TrainedTokenizer>, options: Options) =>
  Effect.map(Path.Path, (paths) => {
    const [first, ...others] = trained
    if (first === undefined) return ""
    const { statistics } = first
    const summary =
      others.length > 0
        ? [
            table(
              [
                { title: "tokens", align: "right" },
                { title: "bytes per token", align: "right" },
                { title: "vocabulary used", align: "right" },
                { title: "folder" }
              ],
              trained.map((one) => [
                `${one.vocabularySize}`,
                one.statistics === undefined ? "–" : one.statistics.bytesPerToken.toPrecision(3),
                one.statistics === undefined ? "–" : share(one.statistics.coverage),
                one.target.directory
              ])
            )
          ]
        : [
            `${first.vocabularySize} tokens from ${sourceText(first)}.` +
              (statistics === undefined
                ? ""
                : ` One token stands for ${statistics.bytesPerToken.toPrecision(3)} bytes of that text.`),
            ...(statistics === undefined ? [] : ["", statisticsText(statistics)]),
            "",
            facts(first.files.map((file, i) => [i === 0 ? "Written" : "", paths.join(first.target.directory, file)]))
          ]
    const place = shellWord(first.target.directory)
    const dataPaths = shellWord(JSON.stringify(options.data))
    return [
      ...summary,
      "",
      nextCommands([
        `codex tokenizer inspect --tokenizer ${place}`,
        ...(options.data.length === 0
          ? []
          : [`codex train data.paths=${dataPaths} tokenizer.name=huggingface tokenizer.path=${place} ~tokenizer.train`])
      ])
    ].join("\n")
  })

const sourceText = ({ statistics, target }: Job.TrainedTokenizer): string => {
  const { files } = target.purpose.data
  const total = files.reduce((sum, file) => sum + file.bytes, 0)
  return files.length === 0
    ? counted(statistics?.documents ?? 0, "document")
    : `${counted(files.length, "file")}, ${bytes(total)}`
}
