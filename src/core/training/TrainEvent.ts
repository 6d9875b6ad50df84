/**
 * What a training run says while it runs: Started, then for each update Step, (Evaluated), (CheckpointSaved), StepEnded;
 * Finished stands in place of the last StepEnded. Steps count from 1: `Step` of step n is the result of the n-th update.
 *
 * `time` fields (milliseconds) are the only ones that differ between two equal runs.
 */
import * as Schema from "effect/Schema"

export class Started extends Schema.TaggedClass<Started>()("Started", {
  /** Steps done before: 0, or where a resumed run goes on. */
  fromStep: Schema.Number,
  totalSteps: Schema.Number,
  stepsPerEpoch: Schema.Number,
  tokensPerStep: Schema.Number,
  parameters: Schema.Number,
  device: Schema.String
}) {}

export class Step extends Schema.TaggedClass<Step>()("Step", {
  step: Schema.Number,
  /** Epochs done, with fraction. */
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

export class Evaluated extends Schema.TaggedClass<Evaluated>()("Evaluated", {
  step: Schema.Number,
  /** Mean −ln p of the held-out tokens that were scored, in nats. */
  loss: Schema.Number,
  bitsPerByte: Schema.Number,
  accuracy: Schema.Number,
  tokens: Schema.Number,
  /** Whether this is the lowest loss so far. */
  best: Schema.Boolean,
  /** Evaluations in a row that brought no new best. */
  sinceBest: Schema.Number,
  evaluationMillis: Schema.Number
}) {}

export class CheckpointSaved extends Schema.TaggedClass<CheckpointSaved>()("CheckpointSaved", {
  step: Schema.Number,
  path: Schema.String,
  removed: Schema.Array(Schema.String)
}) {}

/** Nothing of this step is to come any more: the place for what must see the whole step, such as a checkpoint. */
export class StepEnded extends Schema.TaggedClass<StepEnded>()("StepEnded", { step: Schema.Number }) {}

/** Ends the last step of the stream, in place of its `StepEnded`. */
export class Finished extends Schema.TaggedClass<Finished>()("Finished", {
  step: Schema.Number,
  reason: Schema.Literal("completed", "early_stop", "interrupted")
}) {}

export const TrainEvent = Schema.Union(Started, Step, Evaluated, CheckpointSaved, StepEnded, Finished)
export type TrainEvent = typeof TrainEvent.Type
