/**
 * The job behind `codex tokenizer train`: texts become the folder of a tokenizer, or one folder for each size asked for.
 *
 *     <out>/tokenizer.json            what every reader of Hugging Face's format opens
 *     <out>/tokenizer_config.json     what its special tokens are for
 *     <out>/special_tokens_map.json   the same for older readers
 *     <out>/manifest.json             what it was trained on (TrainingManifest.ts)
 *
 * The same texts and settings give the same bytes. Another tokenizer that lies there is replaced only when asked to; nothing
 * is written before everything is learned and measured.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Registry } from "../../core/plugin/Registry.ts"
import type { Tokenizer } from "../../core/Tokenizer.ts"
import { TokenizerTrainer } from "../../core/TokenizerTrainer.ts"
import * as Pipeline from "../../core/tokenizer/Pipeline.ts"
import * as Statistics from "../../core/tokenizer/TokenizerStatistics.ts"
import { checkWritable, writeFiles } from "../../services/files/AtomicFiles.ts"
import * as TextSource from "./TextSource.ts"
import * as TrainingManifest from "./TrainingManifest.ts"

/** A folder holds a tokenizer that was made otherwise, or files of the names that would be written. */
export class TokenizerExists extends Schema.TaggedError<TokenizerExists>()("TokenizerExists", {
  path: Schema.String,
  /** What differs, each as `normalizer: [] → [nfkc]`; empty when nothing says what the other was made of. */
  changes: Schema.Array(Schema.String),
  files: Schema.Array(Schema.String)
}) {
  override get message() {
    const what =
      this.changes.length > 0
        ? `there is another tokenizer in this folder. ${idsChange(this.changes)}`
        : `there is another ${this.files.join(" and ")} in this folder.`
    return `${this.path}: ${what} Choose another --out, or replace it with --force.`
  }
}

/** What changes mean to those who have trained a model already. */
export const idsChange = (changes: ReadonlyArray<string>): string =>
  `${changes.join(", ")}: token ids change; a model trained with the old tokenizer cannot use the new one.`

export interface TrainTokenizerOptions {
  /** A tokenizer-trainer plugin. */
  readonly algorithm: string
  /** Vocabulary sizes. Of several, each gets the folder `<out>/<size>`. */
  readonly sizes: Arr.NonEmptyReadonlyArray<number>
  /** Further keys of the trainer's config. */
  readonly settings?: { readonly [key: string]: unknown }
  readonly data: TextSource.TextSource
  readonly out: string
  /** Replaces other tokenizers. Default false. */
  readonly force?: boolean
  readonly onProgress?: (progress: TrainTokenizerProgress) => Effect.Effect<void>
}

export type TrainTokenizerProgress =
  | TokenizerTrainer.Progress
  | { readonly phase: "measuring"; readonly documents: number; readonly bytes: number }

/** One folder that will be written. */
export interface Target {
  readonly directory: string
  readonly size: number
  /** The files of it that are there already. */
  readonly present: ReadonlyArray<string>
  /** How what is there was made otherwise. Undefined when it was not, or when nothing says how it was made. */
  readonly changes: Arr.NonEmptyReadonlyArray<string> | undefined
  /** Made of the same texts with the same settings. */
  readonly same: boolean
  readonly purpose: TrainingManifest.Purpose
}

/** What a training would read, do and write. */
export interface TokenizerPlan {
  readonly texts: TextSource.OpenedTexts
  readonly settings: { readonly [key: string]: unknown }
  readonly data: TrainingManifest.TrainingManifest["data"]
  readonly targets: Arr.NonEmptyReadonlyArray<Target>
}

export interface TrainedTokenizer {
  readonly target: Target
  readonly vocabularySize: number
  /** Undefined for a trainer whose tokenizer is no tokenizer.json. */
  readonly statistics: Statistics.Statistics | undefined
  /** Names of the files that were written. */
  readonly files: ReadonlyArray<string>
}

const ownFiles = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", TrainingManifest.fileName]

/** Texts are measured up to this many bytes: more hardly change the numbers, and take as long as training. */
const MEASURED = 32 * 1024 * 1024

const Settings = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/** Checks everything that can be checked before training, and writes nothing. Reads all files for their hashes. */
export const planTokenizer = (options: Omit<TrainTokenizerOptions, "force" | "onProgress">) =>
  Effect.gen(function* () {
    const paths = yield* Path.Path
    const registry = yield* Registry
    const sizes = Arr.dedupe(options.sizes)
    const decoded = yield* registry.decode(TokenizerTrainer.kind, options.algorithm, {
      ...options.settings,
      vocab_size: Math.max(...sizes)
    })
    const settings = Schema.is(Settings)(decoded) ? decoded : {}
    const texts = yield* TextSource.open(options.data)
    if (texts.files.length === 0 && options.data.texts === undefined && texts.fingerprint === undefined) {
      return yield* new TextSource.TextSourceError({
        details: "There is nothing to train on.",
        remedy: "Give files with --data, or a dataset plugin with --dataset."
      })
    }
    const fingerprint = yield* texts.fingerprint ?? Effect.succeed(undefined)
    const data = {
      files: yield* Effect.forEach(texts.files, TrainingManifest.hashed),
      ...(texts.field === undefined ? {} : { field: texts.field }),
      ...(options.data.dataset === undefined ? {} : { dataset: options.data.dataset }),
      ...(fingerprint === undefined ? {} : { fingerprint })
    }
    const targets = yield* Effect.forEach(sizes, (size) =>
      target(sizes.length === 1 ? options.out : paths.join(options.out, `${size}`), size, {
        algorithm: options.algorithm,
        settings: { ...settings, vocab_size: size },
        data,
        versions: TrainingManifest.versions
      })
    )
    return { texts, settings, data, targets } satisfies TokenizerPlan
  })

/** Whether what lies in a folder may be another tokenizer than the one that would be written. */
export const isOther = ({ present, same }: Target): boolean => present.length > 0 && !same

const target = (directory: string, size: number, purpose: TrainingManifest.Purpose) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    yield* checkWritable(directory)
    const present = yield* Effect.filter(ownFiles, (file) =>
      Effect.orElseSucceed(fs.exists(paths.join(directory, file)), () => false)
    )
    const manifest = yield* TrainingManifest.read(directory)
    const changes = manifest === undefined ? undefined : TrainingManifest.changes(manifest, purpose)
    return {
      directory,
      size,
      present,
      changes: changes !== undefined && Arr.isNonEmptyReadonlyArray(changes) ? changes : undefined,
      same: changes !== undefined && changes.length === 0,
      purpose
    } satisfies Target
  })

/** Trains and saves. Fails before training when another tokenizer is in the way. */
export const trainTokenizer = (options: TrainTokenizerOptions) =>
  Effect.gen(function* () {
    const { force = false, onProgress = () => Effect.void } = options
    const registry = yield* Registry
    const plan = yield* planTokenizer(options)
    const other = plan.targets.find(isOther)
    if (!force && other !== undefined) {
      return yield* new TokenizerExists({ path: other.directory, changes: other.changes ?? [], files: other.present })
    }
    const trainer = yield* registry.resolve(TokenizerTrainer.kind, options.algorithm, plan.settings)
    const texts = plan.texts.documents.pipe(Stream.map(({ text }) => text))
    const sizes = Arr.map(plan.targets, ({ size }) => size)
    const trained = yield* trainer.trainSizes(texts, sizes, { onProgress })
    const learned = yield* Effect.forEach(trained, ({ files, vocabularySize }) =>
      Effect.map(loaded(files), (tokenizer) => ({
        vocabularySize,
        tokenizer,
        files: { ...tokenizer?.files, ...files }
      }))
    )
    const statistics = yield* measure(
      learned.map(({ tokenizer }) => tokenizer),
      plan.texts.documents,
      onProgress
    )
    const finished = Arr.zipWith(plan.targets, Arr.zip(learned, statistics), (place, [one, numbers]) => ({
      target: place,
      vocabularySize: one.vocabularySize,
      statistics: numbers,
      files: { ...one.files, [TrainingManifest.fileName]: manifestOf(place, one, numbers) }
    }))
    if (!force) yield* Effect.forEach(finished, ({ files, target }) => refuseOther(target, files))
    yield* Effect.forEach(finished, ({ files, target }) => writeFiles(target.directory, files))
    return { plan, trained: finished.map((one): TrainedTokenizer => ({ ...one, files: Object.keys(one.files) })) }
  })

/** What special tokens of these names are for, besides those that every tokenizer is searched for. */
const roles = {
  bos_token: ["<s>", "<bos>"],
  sep_token: ["[SEP]"],
  cls_token: ["[CLS]"],
  mask_token: ["[MASK]", "<mask>"]
} as const

/** The tokenizer of files that were never written; undefined when they are of a format of their own. */
type Files = { readonly [fileName: string]: string }

const loaded = (files: Files) =>
  Effect.gen(function* () {
    const text = files[Pipeline.fileName]
    if (text === undefined) return undefined
    const definition = yield* Pipeline.parse(text, Pipeline.fileName)
    const special = new Set(definition.added_tokens.filter((token) => token.special).map(({ content }) => content))
    const held = Object.entries(roles).flatMap(([role, names]) => {
      const token = names.find((name) => special.has(name))
      return token === undefined ? [] : [[role, token] as const]
    })
    return yield* Pipeline.make(definition, { roles: Object.fromEntries(held) })
  })

const measure = (
  tokenizers: ReadonlyArray<Tokenizer.Service | undefined>,
  documents: TextSource.OpenedTexts["documents"],
  onProgress: (progress: TrainTokenizerProgress) => Effect.Effect<void>
) =>
  Effect.gen(function* () {
    const counters = tokenizers.map((tokenizer) => tokenizer && Statistics.make(tokenizer))
    let [read, bytes] = [0, 0]
    if (counters.some((counter) => counter !== undefined)) {
      yield* documents.pipe(
        Stream.takeUntil(() => bytes >= MEASURED),
        Stream.runForEach(({ id, text }) =>
          Effect.gen(function* () {
            for (const counter of counters) if (counter !== undefined) yield* counter.add(text, id)
            read += 1
            bytes += Buffer.byteLength(text)
            yield* onProgress({ phase: "measuring", documents: read, bytes })
          })
        )
      )
    }
    return yield* Effect.forEach(counters, (counter) => counter?.result ?? Effect.succeed(undefined))
  })

const manifestOf = (
  { purpose }: Target,
  { files, vocabularySize }: { readonly files: Files; readonly vocabularySize: number },
  statistics: Statistics.Statistics | undefined
): string => {
  const text = files[Pipeline.fileName]
  return TrainingManifest.render({
    format: 1,
    ...purpose,
    ...(text === undefined
      ? {}
      : {
          tokenizer: { file: Pipeline.fileName, sha256: TrainingManifest.sha256(text), vocabulary_size: vocabularySize }
        }),
    ...(statistics === undefined ? {} : { statistics: Statistics.encode(statistics) })
  })
}

/** Fails when a folder has another tokenizer, though it was made of the same: another version learned it, or a hand. */
const refuseOther = (place: Target, files: Files) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const others = yield* Effect.filter(Object.entries(files), ([name, content]) =>
      Effect.match(fs.readFileString(paths.join(place.directory, name)), {
        onFailure: () => false,
        // Manifests of the same purpose differ in versions only.
        onSuccess: (present) => present !== content && name !== TrainingManifest.fileName
      })
    )
    if (others.length === 0) return
    return yield* new TokenizerExists({
      path: place.directory,
      changes: [],
      files: others.map(([name]) => name)
    })
  })
