/**
 * What can go wrong with a training: settings that do not fit together, and numbers that are not finite. Errors of checkpoints
 * are in Checkpoint.ts.
 */
import * as Schema from "effect/Schema"
import type { BackendError } from "../Backend.ts"
import type { TokenFileError } from "../data/TokenFile.ts"
import * as ExitCode from "../ExitCode.ts"

/** Settings that do not fit the data or the model. */
export class TrainConfigError extends Schema.TaggedError<TrainConfigError>()("TrainConfigError", {
  key: Schema.String,
  details: Schema.String,
  remedy: Schema.String
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    return `${this.key}: ${this.details} ${this.remedy}`
  }
}

/** The loss, the gradient or a parameter is NaN or infinite. Such a state is never saved. */
export class NonFiniteLoss extends Schema.TaggedError<NonFiniteLoss>()("NonFiniteLoss", {
  step: Schema.Number,
  /** What is not finite: `the loss is NaN`. */
  details: Schema.String,
  lastCheckpoint: Schema.NullOr(Schema.String),
  /** The last one that is good in the sense of `isGood` (Checkpoint.ts). Later ones are from a model that had diverged. */
  lastGood: Schema.NullOr(Schema.String)
}) {
  override get message() {
    return (
      `Step ${this.step}: ${this.details}, so training stopped. ${this.checkpoints} ` +
      "Lower training.lr, raise training.warmup_steps or set training.max_grad_norm." +
      (this.lastGood === null ? "" : ` A new run can start from its weights: codex train --from ${this.lastGood} …`)
    )
  }
  private get checkpoints(): string {
    if (this.lastCheckpoint === null) return "No checkpoint had been written yet."
    if (this.lastGood === null)
      return `No checkpoint is good: at ${this.lastCheckpoint} the model had already diverged.`
    const later = this.lastGood === this.lastCheckpoint ? "" : " At later ones the model had already diverged."
    return `The last good checkpoint is ${this.lastGood}.${later}`
  }
}

/** Errors of an update, an evaluation or a snapshot. */
export type TrainError = BackendError | TokenFileError | NonFiniteLoss
