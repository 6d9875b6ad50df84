/**
 * What a job says besides the events of training: how far its preparation is, and what it will work with.
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { TrainEvent } from "../core/training/TrainEvent.ts"

/** Work on text before the first update; sent after each document. */
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

export const JobEvent = Schema.Union(Preparing, Prepared, ...TrainEvent.members)
export type JobEvent = typeof JobEvent.Type

/** Told of every event, in order. */
export type OnEvent = (event: JobEvent) => Effect.Effect<void>
