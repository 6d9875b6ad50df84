/**
 * Trains tokenizers on texts and saves each in a directory, or plans to: the job of `codex tokenizer train`.
 *
 *     <out>/tokenizer.json            what every library that reads this format opens
 *     <out>/tokenizer_config.json     the roles of its special tokens
 *     <out>/special_tokens_map.json   the same for older readers
 *     <out>/manifest.json             what it was trained on (TrainingManifest.ts)
 *
 * The same texts and settings give the same bytes. Another tokenizer in the directory is replaced only with `force`. Nothing is
 * written before everything is learned and measured.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as FilePattern from "../../core/plugin/FilePattern.ts"
import { Registry } from "../../core/plugin/Registry.ts"
import { Tokenizer } from "../../core/Tokenizer.ts"
import { TokenizerTrainer } from "../../core/TokenizerTrainer.ts"
import * as Pipeline from "../../core/tokenizer/Pipeline.ts"
import * as TokenizerFiles from "../../core/tokenizer/TokenizerFiles.ts"
import * as Statistics from "../../core/tokenizer/TokenizerStatistics.ts"
import { trainerPlugin } from "../../plugins/builtins.ts"
import { checkWritable, writeFiles } from "../../services/files/AtomicFiles.ts"
import type { FileError } from "../../services/files/FileError.ts"
import * as TextFile from "../../services/files/TextFile.ts"
import * as TextSource from "./TextSource.ts"
import * as TrainingManifest from "./TrainingManifest.ts"

/** The directory has a tokenizer that was trained differently, or other files with the names that would be written. */
export class TokenizerExists extends Schema.TaggedError<TokenizerExists>()("TokenizerExists", {
  path: Schema.String,
  /** What differs, each as `normalizer: [] → [nfkc]`. Empty when it is not known how the other tokenizer was made. */
  changes: Schema.Array(Schema.String),
  files: Schema.Array(Schema.String)
}) {
  override get message() {
    const what =
      this.changes.length > 0
        ? `there is another tokenizer in this directory. ${idsChange(this.changes)}`
        : `there is another ${this.files.join(" and ")} in this directory.`
    return `${this.path}: ${what} Choose another --out, or replace it with --force.`
  }
}

/** What changes mean for a model that was trained with the old tokenizer. */
export const idsChange = (changes: ReadonlyArray<string>): string =>
  `${changes.join(", ")}: token ids change; a model trained with the old tokenizer cannot use the new one.`

/** The algorithm of the command when none is given. */
export const defaultAlgorithm = trainerPlugin

/** What to train, on which texts, and where to save it. */
export interface TrainTokenizerOptions {
  /** The name of a tokenizer-trainer plugin. */
  readonly algorithm: string
  /** Vocabulary sizes. With several sizes, each gets the directory `<out>/<size>`. */
  readonly sizes: Arr.NonEmptyReadonlyArray<number>
  /** Further keys of the trainer's config. */
  readonly settings?: { readonly [key: string]: unknown }
  readonly data: TextSource.TextSource
  readonly out: string
  /** Replaces other tokenizers in the directory. Default false. */
  readonly force?: boolean
  readonly onProgress?: (progress: TrainTokenizerProgress) => Effect.Effect<void>
}

/** What has been done so far: training, then measuring the result. */
export type TrainTokenizerProgress =
  | TokenizerTrainer.Progress
  | { readonly phase: "measuring"; readonly documents: number; readonly bytes: number }

/** A directory that will be written. */
export interface Target {
  readonly directory: string
  readonly size: number
  /** Its files that exist already. */
  readonly present: ReadonlyArray<string>
  /** How the tokenizer there was made differently. Undefined when it was not, or when that is not known. */
  readonly changes: Arr.NonEmptyReadonlyArray<string> | undefined
  /** Whether the tokenizer there was made from the same texts with the same settings. */
  readonly same: boolean
  /** Why the manifest there cannot be read. It will be set aside, and the results of the training are compared instead. */
  readonly unreadable: FileError | undefined
  readonly purpose: TrainingManifest.Purpose
}

/** What a training would read, do and write. */
export interface TokenizerPlan {
  readonly texts: TextSource.OpenedTexts
  readonly settings: { readonly [key: string]: unknown }
  readonly data: TrainingManifest.TrainingManifest["data"]
  readonly targets: Arr.NonEmptyReadonlyArray<Target>
}

/** A tokenizer that was trained and saved. */
export interface TrainedTokenizer {
  readonly target: Target
  readonly vocabularySize: number
  /** Undefined for a trainer whose tokenizer is not a tokenizer.json. */
  readonly statistics: Statistics.Statistics | undefined
  /** Names of the files that were written. */
  readonly files: ReadonlyArray<string>
  /** The tokenizer plugin that reads the files. */
  readonly plugin: string
}

const ownFiles = [...TokenizerFiles.fileNames, TrainingManifest.fileName]

/** Texts are measured up to this many bytes: more text hardly changes the numbers, and takes as long as training. */
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
        remedy: "Give files (--data) or a dataset plugin (--dataset)."
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

/** Whether the directory has another tokenizer than the one that would be written, as far as its manifest tells. */
const isOther = ({ present, same, unreadable }: Target): boolean =>
  present.length > 0 && !same && unreadable === undefined

const target = (directory: string, size: number, purpose: TrainingManifest.Purpose) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    yield* checkWritable(directory)
    const present = yield* Effect.filter(ownFiles, (file) =>
      Effect.orElseSucceed(fs.exists(paths.join(directory, file)), () => false)
    )
    const read = yield* Effect.either(TrainingManifest.read(directory))
    const manifest = Either.getOrUndefined(read)
    const changes = manifest === undefined ? undefined : TrainingManifest.changes(manifest, purpose)
    return {
      directory,
      size,
      present,
      changes: changes !== undefined && Arr.isNonEmptyReadonlyArray(changes) ? changes : undefined,
      same: changes !== undefined && changes.length === 0,
      unreadable: Option.getOrUndefined(Either.getLeft(read)),
      purpose
    } satisfies Target
  })

/** Trains and saves. Fails before training when the directory has another tokenizer. */
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
    yield* Effect.forEach(finished, ({ files, target: { directory, unreadable } }) =>
      Effect.zipRight(
        unreadable === undefined ? Effect.void : TextFile.setAside(unreadable.path, unreadable.details),
        writeFiles(directory, files)
      )
    )
    const plugins = registry.list(Tokenizer.kind.name)
    return {
      plan,
      trained: finished.map((one): TrainedTokenizer => {
        const files = Object.keys(one.files)
        return { ...one, files, plugin: FilePattern.readableIn(plugins, files)[0]?.plugin ?? options.algorithm }
      })
    }
  })

type Files = { readonly [fileName: string]: string }

/** The tokenizer of files that are not written yet. Undefined when they have another format. */
const loaded = (files: Files) =>
  Effect.gen(function* () {
    const text = files[Pipeline.fileName]
    if (text === undefined) return undefined
    const definition = yield* Pipeline.parse(text, Pipeline.fileName)
    return yield* Pipeline.make(definition, { roles: Pipeline.wellKnownRoles(definition) })
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

/** Fails when a directory has another tokenizer although it was made from the same: by another version, or edited by hand. */
const refuseOther = (place: Target, files: Files) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const others = yield* Effect.filter(Object.entries(files), ([name, content]) =>
      Effect.match(fs.readFileString(paths.join(place.directory, name)), {
        onFailure: () => false,
        // Manifests of the same training differ in versions only.
        onSuccess: (present) => present !== content && name !== TrainingManifest.fileName
      })
    )
    if (others.length === 0) return
    if (place.unreadable !== undefined) yield* Effect.logWarning(place.unreadable.message)
    return yield* new TokenizerExists({
      path: place.directory,
      changes: [],
      files: others.map(([name]) => name)
    })
  })
