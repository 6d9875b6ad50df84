/**
 * The events of a run: Preparing and Prepared; Started; then for each update Step, (Evaluated), (CheckpointSaved), StepEnded.
 * Finished replaces the last StepEnded. Steps count from 1: `Step` of step n is the result of the n-th update.
 *
 * Only the fields in milliseconds differ between two equal runs.
 */
import * as Schema from "effect/Schema"

/** The session is compiled; the first update is next. */
export class Started extends Schema.TaggedClass<Started>()("Started", {
  /** Updates done before: 0, or those of the checkpoint from which the run resumes. */
  fromStep: Schema.Number,
  totalSteps: Schema.Number,
  stepsPerEpoch: Schema.Number,
  tokensPerStep: Schema.Number,
  parameters: Schema.Number,
  device: Schema.String
}) {}

/** One update. */
export class Step extends Schema.TaggedClass<Step>()("Step", {
  step: Schema.Number,
  /** Passes over the text, with fraction. */
  epoch: Schema.Number,
  /** Mean −ln p of this batch's tokens, before the update, in nats. */
  loss: Schema.Number,
  learningRate: Schema.Number,
  /** Before clipping. */
  gradientNorm: Schema.Number,
  /** Tokens seen since the start of the run. */
  tokens: Schema.Number,
  stepMillis: Schema.Number
}) {}

/** One evaluation while training. */
export class Evaluated extends Schema.TaggedClass<Evaluated>()("Evaluated", {
  step: Schema.Number,
  /** Which text was scored: held-out text, or, if nothing is held out, the training text. */
  split: Schema.Literal("validation", "train_eval"),
  /** Mean −ln p of the tokens that were scored, in nats. */
  loss: Schema.Number,
  bitsPerByte: Schema.Number,
  accuracy: Schema.Number,
  tokens: Schema.Number,
  /** Whether this is the lowest loss so far. */
  best: Schema.Boolean,
  /** Evaluations in a row without a new best. */
  sinceBest: Schema.Number,
  evaluationMillis: Schema.Number
}) {}

/** A checkpoint was written, and older ones were removed. */
export class CheckpointSaved extends Schema.TaggedClass<CheckpointSaved>()("CheckpointSaved", {
  step: Schema.Number,
  path: Schema.String,
  removed: Schema.Array(Schema.String)
}) {}

/** The last event of a step. What must see the whole step, such as a checkpoint, comes before it. */
export class StepEnded extends Schema.TaggedClass<StepEnded>()("StepEnded", { step: Schema.Number }) {}

/** The last event of the stream, instead of `StepEnded`. */
export class Finished extends Schema.TaggedClass<Finished>()("Finished", {
  step: Schema.Number,
  /** `stopped`: by `stopWhen`, or by a combinator that ended the stream. Such a run can be resumed, as an interrupted one. */
  reason: Schema.Literal("completed", "early_stop", "stopped", "interrupted")
}) {}

/** Work on the text before the first update; sent after each document. */
export class Preparing extends Schema.TaggedClass<Preparing>()("Preparing", {
  stage: Schema.Literal("tokenizer", "tokens"),
  documents: Schema.Number,
  bytes: Schema.Number
}) {}

/** Everything is composed and checked; training is about to start. */
export class Prepared extends Schema.TaggedClass<Prepared>()("Prepared", {
  /** Empty in a dry run. */
  run: Schema.String,
  vocabularySize: Schema.Number,
  trainDocuments: Schema.Number,
  trainTokens: Schema.Number,
  trainBytes: Schema.Number,
  validationDocuments: Schema.Number,
  validationTokens: Schema.Number,
  contextLength: Schema.Number
}) {}

/** The events of training. */
export const TrainEvent = Schema.Union(Started, Step, Evaluated, CheckpointSaved, StepEnded, Finished)
export type TrainEvent = typeof TrainEvent.Type

/** The events of a whole run: its preparation, then those of training. */
export const RunEvent = Schema.Union(Preparing, Prepared, ...TrainEvent.members)
export type RunEvent = typeof RunEvent.Type
