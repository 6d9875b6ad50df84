/**
 * What a run knows of its data: `runs/<id>/data.json`, written before the first update.
 *
 *     { format, updates, fingerprint, tokenizer, train: { digest, documents, bytes, tokens, sources }, validation, history }
 *
 * A run is resumed on the text, the order, the split and the tokenizer that it was started with; anything else is refused with
 * what changed. `--data-changed=continue` accepts new data: the data before it goes to `history`, which is only ever appended
 * to. So the run can say at any time what it held out, and whether that text was ever trained on. A run that starts from the
 * weights of another one takes over its history.
 */
import { createHash } from "node:crypto"
import * as FileSystem from "@effect/platform/FileSystem"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as DatasetIdentity from "../core/data/DatasetIdentity.ts"
import * as Json from "../core/data/Json.ts"
import type { TokenFile } from "../core/data/TokenFile.ts"
import * as ExitCode from "../core/ExitCode.ts"
import type { Tokenizer } from "../core/Tokenizer.ts"
import type { TextFiles } from "../core/training/Checkpoint.ts"
import * as AtomicFiles from "../services/files/AtomicFiles.ts"
import { FileError } from "../services/files/FileError.ts"
import * as TextFile from "../services/files/TextFile.ts"
import type { RunDirectory } from "../services/runs/RunStore.ts"

const Split = Schema.Struct({
  ...DatasetIdentity.SplitIdentity.fields,
  documents: Schema.Int,
  bytes: Schema.Int,
  tokens: Schema.Int
})

/** A dataset as tokens: what decides the order, the schedule and the split of a run. */
export const Trained = Schema.Struct({
  fingerprint: Schema.String,
  /** SHA-256 of the tokenizer's files. */
  tokenizer: Schema.String,
  train: Split,
  validation: Split
})
export type Trained = typeof Trained.Type

/** A change that was accepted. */
export const Change = Schema.Struct({
  /** The update after which the new data is used. */
  step: Schema.Int,
  time: Schema.String,
  /** In words, as the refusal says them. */
  changes: Schema.Array(Schema.String),
  /** What was trained on until then; null if that is not known. */
  before: Schema.NullOr(Trained),
  /** The checkpoint of another run whose weights this run started from, if that is the change. */
  from: Schema.optional(Schema.String)
})
export type Change = typeof Change.Type

/** The content of `data.json`. */
export const RunData = Schema.Struct({
  format: Schema.Literal(1),
  /** Updates that the run was planned for. Data that changes does not change them. */
  updates: Schema.Int,
  ...Trained.fields,
  history: Schema.Array(Change)
})
export type RunData = typeof RunData.Type

const RunDataJson = Json.schema(RunData, { space: 2 })

/** `data.json` is damaged. */
export class RunDataError extends Schema.TaggedError<RunDataError>()("RunDataError", { path: Schema.String }) {
  override get message() {
    return (
      `${this.path}: this is not the record of a run's data. Restore the file. Without it (remove it) the run can be ` +
      "resumed, but codex cannot tell whether its data has changed, or score the text that it held out."
    )
  }
}

/** The data of a run is not what it was when the run was started. */
export class DataChanged extends Schema.TaggedError<DataChanged>()("DataChanged", {
  run: Schema.String,
  /** Updates that were done on the data before. */
  step: Schema.Number,
  changes: Schema.Array(Schema.String)
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    return (
      `${this.run}: the data is not the data that this run was trained on until update ${this.step}: ${this.changes.join("; ")}. ` +
      "To continue with the data as it is now, add --data-changed=continue " +
      '(in code: dataChanged: "continue"); the run keeps its number of updates and records the change. ' +
      "Otherwise restore the data, or start a new run without --resume."
    )
  }
}

/** The tokenizer of a run has other files than when the run was trained: its ids mean other text. */
export class TokenizerChanged extends Schema.TaggedError<TokenizerChanged>()("TokenizerChanged", {
  run: Schema.String
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    return (
      `${this.run}: the tokenizer is not the one that these weights were trained with (it was trained again, or replaced), so its ids ` +
      "mean other text. Use that one (every checkpoint has a copy of its files), or start without these weights."
    )
  }
}

/** What a run held out is gone, was trained on, or was never recorded. */
export class HeldOutUnavailable extends Schema.TaggedError<HeldOutUnavailable>()("HeldOutUnavailable", {
  run: Schema.String,
  details: Schema.String
}) {
  override get message() {
    return (
      `${this.run}: the text that this run held out cannot be scored: ${this.details}. ` +
      "Name other text: --data, or the option data of run.evaluate."
    )
  }
}

/** The record of a run, if it has one. Runs of codex 0.1.0 have none. */
export const read = (
  run: RunDirectory
): Effect.Effect<Option.Option<RunData>, RunDataError | FileError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const failed = Effect.mapError(FileError.from(run.dataFile, "read"))
    if (!(yield* fs.exists(run.dataFile).pipe(failed))) return Option.none()
    const text = yield* TextFile.read(fs, run.dataFile).pipe(failed)
    return Option.some(
      yield* Effect.mapError(Schema.decode(RunDataJson)(text), () => new RunDataError({ path: run.dataFile }))
    )
  })

/** Writes the record, whole or not at all. */
export const write = (run: RunDirectory, data: RunData) =>
  AtomicFiles.writeFile(run.dataFile, `${Schema.encodeSync(RunDataJson)(data)}\n`)

/** SHA-256 of what decides the ids of a tokenizer. */
export const tokenizerDigest = ({ endOfText, files, vocabularySize }: Tokenizer.Service): string => {
  const sorted = Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash("sha256")
    .update(JSON.stringify([vocabularySize, endOfText ?? null, sorted]))
    .digest("hex")
}

/** The data of a run that is about to start, or to be resumed. */
export const trainedOf = (
  { fingerprint, train, validation }: DatasetIdentity.DatasetIdentity,
  tokenizer: Tokenizer.Service,
  tokens: { readonly [split in DatasetIdentity.Split]: TokenFile }
): Trained => {
  const of = (identity: DatasetIdentity.SplitIdentity, { bytes, documents, length }: TokenFile) => ({
    ...identity,
    documents,
    bytes,
    tokens: length
  })
  return {
    fingerprint,
    tokenizer: tokenizerDigest(tokenizer),
    train: of(train, tokens.train),
    validation: of(validation, tokens.validation)
  }
}

/** For the manifest of a checkpoint, so that one that is copied elsewhere still says what it was trained on. */
export const provenanceOf = ({ fingerprint, tokenizer, train, validation }: Trained) => ({
  data: fingerprint,
  data_train: train.digest,
  data_validation: validation.digest,
  tokenizer
})

/** Fails if a tokenizer is not the one whose files a checkpoint has. */
export const requireTokenizer = (
  run: string,
  saved: TextFiles,
  { definitionFile, files }: Tokenizer.Service
): Effect.Effect<void, TokenizerChanged> => {
  const deciding = definitionFile === undefined ? Object.keys(files) : [definitionFile]
  const changed = deciding.some((name) => Object.hasOwn(saved, name) && saved[name] !== files[name])
  return changed ? new TokenizerChanged({ run }) : Effect.void
}

/** Fails if a run cannot be resumed with this data and tokenizer. A changed tokenizer cannot be accepted. */
export const requireSame = (
  run: RunDirectory,
  known: RunData,
  now: { readonly identity: DatasetIdentity.DatasetIdentity; readonly tokenizer: Tokenizer.Service },
  options: { readonly step: number; readonly accepted: boolean }
): Effect.Effect<void, DataChanged | TokenizerChanged> => {
  if (known.tokenizer !== tokenizerDigest(now.tokenizer)) return new TokenizerChanged({ run: run.directory })
  return options.accepted ? Effect.void : requireData(run, known, now.identity, options.step)
}

/** Fails if data is not the data of a run that has done `step` updates. */
export const requireData = (
  run: RunDirectory,
  known: RunData,
  identity: DatasetIdentity.DatasetIdentity,
  step: number
): Effect.Effect<void, DataChanged> => {
  const changes = DatasetIdentity.changes(known, identity)
  return changes.length === 0 ? Effect.void : new DataChanged({ run: run.directory, step, changes })
}

/**
 * The record of a run that starts or continues at `step` with this data. `known` is undefined for a new run, and for one that had no
 * record. `parent` is the checkpoint of another run whose weights it starts from.
 */
export const next = (
  known: RunData | undefined,
  now: Trained,
  options: {
    readonly step: number
    readonly updates: number
    readonly parent: { readonly path: string; readonly step: number; readonly data: RunData | undefined } | undefined
  }
): Effect.Effect<RunData> =>
  Effect.gen(function* () {
    const { parent, step, updates } = options
    const time = DateTime.formatIso(yield* DateTime.now)
    const history = (): ReadonlyArray<Change> => {
      if (known !== undefined) {
        const changes = DatasetIdentity.changes(known, now)
        return changes.length === 0 ? known.history : [...known.history, { step, time, changes, before: before(known) }]
      }
      if (parent !== undefined) {
        const changes = [`started from the weights of ${parent.path}`]
        const started: Change = {
          step: parent.step,
          time,
          changes,
          before: parent.data === undefined ? null : before(parent.data),
          from: parent.path
        }
        return [...(parent.data?.history ?? []), started]
      }
      return step === 0 ? [] : [{ step, time, changes: ["nothing was recorded before"], before: null }]
    }
    return { format: 1, updates, ...now, history: history() }
  })

const before = ({ fingerprint, tokenizer, train, validation }: RunData): Trained => ({
  fingerprint,
  tokenizer,
  train,
  validation
})

/** Why the text that a run holds out cannot be called held out. */
export interface NotHeldOut {
  /** `trained`: some of it was, or may have been, trained on. `unknown`: nothing is recorded of what was. */
  readonly reason: "trained" | "unknown"
  readonly details: string
}

/** Whether some of the text that a run holds out now was trained on before; undefined if none of it was. */
export const notHeldOut = ({ history, validation }: RunData): NotHeldOut | undefined => {
  // What was replaced before the first update was never trained on.
  for (const { before, from, step } of history.filter(({ step }) => step > 0)) {
    const since = from === undefined ? `update ${step}` : `the start from ${from}`
    if (before === null) {
      return { reason: "unknown", details: `what the weights were trained on before ${since} is not recorded` }
    }
    if (before.validation.digest === validation.digest) continue
    if (validation.sources === undefined || before.train.sources === undefined) {
      const details = `the data changed at ${since}, and what is held out now may have been trained on before`
      return { reason: "trained", details }
    }
    const texts = new Set(before.train.sources.map(({ sha256 }) => sha256))
    // A file that was edited keeps its name. Positions in a list mean nothing in another run.
    const names = new Set(before.train.sources.flatMap(({ file, name }) => (file || from === undefined ? [name] : [])))
    const seen = validation.sources.find(({ name, sha256 }) => texts.has(sha256) || names.has(name))
    if (seen !== undefined) return { reason: "trained", details: `${seen.name} was trained on before ${since}` }
  }
  return undefined
}
