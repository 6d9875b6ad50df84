/**
 * What a checkpoint holds, which ones are kept, and the service that stores them.
 *
 * A checkpoint is everything that a run needs to go on with the same bits: parameters, optimizer state, where it is, and
 * the config and tokenizer that give those numbers a meaning. Which checkpoints to keep is a pure function (`removable`);
 * the store carries it out.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { TensorDatas } from "../Backend.ts"

/** Where a run stands. All that is not a tensor. */
export class TrainState extends Schema.Class<TrainState>("TrainState")({
  /** Updates done. Data order, dropout and learning rate are functions of it and the seed. */
  step: Schema.Int,
  seed: Schema.Int,
  tokens: Schema.Int,
  /** Loss of the last update, in nats. */
  loss: Schema.Number,
  best: Schema.NullOr(Schema.Struct({ step: Schema.Int, loss: Schema.Number })),
  sinceBest: Schema.Int,
  finished: Schema.NullOr(Schema.Literal("completed", "early_stop"))
}) {}

/** The text files of a checkpoint: config.json, tokenizer.json, run.json. */
export type TextFiles = { readonly [fileName: string]: string }

export interface Checkpoint {
  readonly state: TrainState
  readonly parameters: TensorDatas
  readonly optimizer: TensorDatas
  readonly files: TextFiles
  /** For the manifest: device, versions, git commit. */
  readonly provenance: { readonly [name: string]: string }
}

/** A checkpoint that cannot be used, or written. `path` is its directory or the file at fault. */
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

/** The rule: the newest `keepLast` and, where it is kept, the best one. Returns the steps to remove. */
export const removable = (
  steps: ReadonlyArray<number>,
  rule: { readonly keepLast: number; readonly best: number | undefined }
): ReadonlyArray<number> => {
  const newest = [...steps].sort((a, b) => b - a).slice(0, Math.max(1, rule.keepLast))
  return steps.filter((step) => !newest.includes(step) && step !== rule.best)
}

export class CheckpointStore extends Context.Tag("codex/CheckpointStore")<CheckpointStore, CheckpointStore.Service>() {}

export declare namespace CheckpointStore {
  interface Service {
    /**
     * Writes `<directory>/step-<8 digits>` so that it is there whole or not at all, whatever happens. Returns its path.
     */
    readonly save: (directory: string, checkpoint: Checkpoint) => Effect.Effect<string, CheckpointError>
    /** Reads one checkpoint directory, checking every file against the manifest. */
    readonly load: (path: string) => Effect.Effect<Checkpoint, CheckpointError>
    /** The same without the optimizer's state, which only training needs. */
    readonly loadModel: (path: string) => Effect.Effect<Omit<Checkpoint, "optimizer">, CheckpointError>
    /** Steps of the checkpoints in a directory, oldest first; none when there is no such directory. */
    readonly list: (
      directory: string
    ) => Effect.Effect<ReadonlyArray<{ readonly step: number; readonly path: string }>, CheckpointError>
    /** The newest whole checkpoint and its path, or `undefined`; torn ones are reported as warnings and passed over. */
    readonly newest: (
      directory: string
    ) => Effect.Effect<{ readonly path: string; readonly checkpoint: Checkpoint } | undefined, CheckpointError>
    readonly remove: (path: string) => Effect.Effect<void, CheckpointError>
  }
}
