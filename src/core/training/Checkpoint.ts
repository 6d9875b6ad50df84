/**
 * What a checkpoint holds, which ones are kept, whether one fits a run, and the service that stores them.
 *
 * A checkpoint is everything that a run needs to continue with the same bits: parameters, optimizer state, its position, and
 * the config and tokenizer that give those numbers a meaning. Which checkpoints to keep is a pure function (`removable`);
 * the store carries it out (services/runs/CheckpointStore.ts, which also has the messages about corrupt ones).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { TensorDatas } from "../Backend.ts"
import type { Architecture } from "../Model.ts"
import type { Tokenizer } from "../Tokenizer.ts"
import type { TensorTypes } from "../tensor/Program.ts"

/**
 * Which data order, schedules and random streams a run uses. It is raised when a version of codex changes one of them, because
 * a run that resumes with others has bits that no version gives. 2: offsets of the data order, `wsd`, dropout of micro-batches.
 */
const currentRevision = 2

/** A field that is null unless it is given. */
const nullable = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.optional(Schema.NullOr(schema)).pipe(Schema.withDefaults({ constructor: () => null, decoding: () => null }))

/** The state of a run, except its tensors. */
export class TrainState extends Schema.Class<TrainState>("TrainState")({
  /** The revision of the data order, schedules and random streams. */
  revision: Schema.optional(Schema.Int).pipe(
    Schema.withDefaults({ constructor: () => currentRevision, decoding: () => 1 })
  ),
  /** Updates that are done. Data order, dropout and learning rate are functions of it and the seed. */
  step: Schema.Int,
  seed: Schema.Int,
  /** Tokens that the updates have seen. */
  tokens: Schema.Int,
  /** Loss of the last update, in nats. */
  loss: Schema.Number,
  /** The best evaluation so far. */
  best: Schema.NullOr(Schema.Struct({ step: Schema.Int, loss: Schema.Number })),
  /** Evaluations since the best one. */
  sinceBest: Schema.Int,
  /** The step of the last evaluation. */
  evaluated: nullable(Schema.Int),
  /** The newest step that was saved in a good state (see `isGood`). */
  good: nullable(Schema.Int),
  finished: Schema.NullOr(Schema.Literal("completed", "early_stop"))
}) {}

/** The text files of a checkpoint, by name: the architecture's and the run's config, the files of the tokenizer. */
export type TextFiles = { readonly [fileName: string]: string }

/** The ids by which other programs know where a text begins and ends, and what to ignore. */
export type TextBounds = Partial<Pick<Tokenizer.Service, "startOfText" | "endOfText" | "padToken">>

/**
 * `config.json` and `generation_config.json`, by which Hugging Face's libraries make the model and generate. A role that the
 * tokenizer does not have is null in `config.json`: where the key is missing, they take the id of the family's first model, which
 * is another token here. `generation_config.json` leaves it out, as transformers does.
 */
export const modelFiles = (
  { config }: Pick<Architecture, "config">,
  { endOfText, padToken, startOfText }: TextBounds = {}
): TextFiles => {
  const ids = { bos_token_id: startOfText, eos_token_id: endOfText, pad_token_id: padToken }
  const known = Object.fromEntries(Object.entries(ids).map(([role, id]) => [role, id ?? null]))
  return {
    "config.json": `${JSON.stringify({ ...config, ...known }, null, 2)}\n`,
    "generation_config.json": `${JSON.stringify(ids, null, 2)}\n`
  }
}

/** Everything that a run needs to continue. */
export interface Checkpoint {
  readonly state: TrainState
  readonly parameters: TensorDatas
  readonly optimizer: TensorDatas
  readonly files: TextFiles
  /** For the manifest: device, versions, git commit. */
  readonly provenance: { readonly [name: string]: string }
}

/** A checkpoint that cannot be used, written or removed. `path` is its directory or the file at fault. */
export class CheckpointError extends Schema.TaggedError<CheckpointError>()("CheckpointError", {
  reason: Schema.Literal("Missing", "Incomplete", "Corrupt", "Mismatch", "Write", "Remove"),
  path: Schema.String,
  details: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${this.path}: ${this.details} ${this.remedy}`
  }
}

/** Parameters of a language model that learns are far below this. */
const largestParameter = 1e3

/**
 * Whether training can continue from these numbers: all of them are finite, no parameter is above a thousand, and no loss, in
 * nats, is more than one above that of a uniform guess. A model that has diverged can be finite for some updates, and its loss
 * can even look harmless, where normalisation turns an overflow into zeros.
 */
export const isGood = (
  { optimizer, parameters }: Pick<Checkpoint, "parameters" | "optimizer">,
  { losses, vocabularySize }: { readonly losses: ReadonlyArray<number>; readonly vocabularySize: number }
): boolean =>
  losses.every((loss) => loss <= Math.log(vocabularySize) + 1) &&
  largest(parameters) <= largestParameter &&
  Number.isFinite(largest(optimizer))

const largest = (tensors: TensorDatas): number => {
  let most = 0
  for (const { data } of Object.values(tensors)) {
    for (let i = 0; i < data.length; i++) most = Math.max(most, Math.abs(data[i]!))
  }
  return most
}

/** The steps to remove, if the newest `keepLast`, the best one and the newest good one are kept. */
export const removable = (
  steps: ReadonlyArray<number>,
  rule: { readonly keepLast: number; readonly best: number | undefined; readonly good?: number | undefined }
): ReadonlyArray<number> => {
  const newest = [...steps].sort((a, b) => b - a).slice(0, Math.max(1, rule.keepLast))
  return steps.filter((step) => !newest.includes(step) && step !== rule.best && step !== rule.good)
}

/** Fails if a checkpoint is of another revision, or its tensors do not have the names and shapes that a run has. */
export const requireMatch = (
  { optimizer, parameters, state: { revision, step } }: Checkpoint,
  types: { readonly parameters: TensorTypes; readonly optimizer: TensorTypes }
): Effect.Effect<void, CheckpointError> => {
  const path = `Checkpoint of step ${step}`
  if (revision !== currentRevision) {
    const version = revision < currentRevision ? "an earlier" : "a later"
    return mismatch(
      path,
      `It was written by ${version} version of codex, which orders the text in another way, so this version cannot continue it with the same bits.`,
      "Resume with the version that wrote it, or start a new run. Evaluating and generating work with it."
    )
  }
  const difference =
    differenceOf("Parameter", parameters, types.parameters) ??
    differenceOf("Optimizer state", optimizer, types.optimizer)
  const remedy = "Resume with the model, optimizer and version of codex that saved it, or start a new run."
  return difference === undefined ? Effect.void : mismatch(path, difference, remedy)
}

/** Fails if parameters do not have the names and shapes of a model. */
export const requireParameters = (
  parameters: TensorDatas,
  types: TensorTypes
): Effect.Effect<void, CheckpointError> => {
  const difference = differenceOf("Parameter", parameters, types)
  return difference === undefined
    ? Effect.void
    : mismatch("The weights to start from", difference, "Choose the model that they were trained with.")
}

const mismatch = (path: string, details: string, remedy: string) =>
  new CheckpointError({ reason: "Mismatch", path, details, remedy })

const differenceOf = (what: string, saved: TensorDatas, types: TensorTypes): string | undefined => {
  const extra = Object.keys(saved).find((name) => !Object.hasOwn(types, name))
  for (const [name, { shape }] of Object.entries(types)) {
    const tensor = Object.hasOwn(saved, name) ? saved[name] : undefined
    if (tensor === undefined)
      return `${what} ${name} is missing${extra === undefined ? "" : `, but there is ${extra}`}.`
    if (tensor.shape.join() !== shape.join()) {
      return `${what} ${name} has the shape [${tensor.shape.join(", ")}] instead of [${shape.join(", ")}].`
    }
  }
  return extra === undefined ? undefined : `${what} ${extra} is not part of the run.`
}

/** The service that stores checkpoints. */
export class CheckpointStore extends Context.Tag("codex/CheckpointStore")<CheckpointStore, CheckpointStore.Service>() {
  /** A checkpoint that cannot be used or written. */
  static readonly Error = CheckpointError
}

export declare namespace CheckpointStore {
  type Error = CheckpointError
  interface Service {
    /**
     * Writes `<directory>/step-<8 digits>`, whole or not at all, and returns its path. A checkpoint of that step is replaced; at
     * no moment is there neither of the two.
     */
    readonly save: (directory: string, checkpoint: Checkpoint) => Effect.Effect<string, CheckpointError>
    /** Reads one checkpoint directory, checking every file against the manifest. */
    readonly load: (path: string) => Effect.Effect<Checkpoint, CheckpointError>
    /** The same without the optimizer state, which only training needs. */
    readonly loadModel: (path: string) => Effect.Effect<Omit<Checkpoint, "optimizer">, CheckpointError>
    /** Steps of the checkpoints in a directory, oldest first; none if the directory does not exist. */
    readonly list: (
      directory: string
    ) => Effect.Effect<ReadonlyArray<{ readonly step: number; readonly path: string }>, CheckpointError>
    /**
     * The newest whole checkpoint and its path; newer ones are reported as warnings and skipped. `undefined` where there is no
     * checkpoint; fails if there are some and none of them is whole. One that is removed in between is not chosen.
     */
    readonly newest: (
      directory: string
    ) => Effect.Effect<{ readonly path: string; readonly checkpoint: Checkpoint } | undefined, CheckpointError>
    /** Removes a checkpoint directory, if it exists. It disappears at once. */
    readonly remove: (path: string) => Effect.Effect<void, CheckpointError>
    /** Removes what killed writers left in a directory. Only for the one process that may write to it. Nothing is reported. */
    readonly tidy: (directory: string) => Effect.Effect<void>
  }
}
