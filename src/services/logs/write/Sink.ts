/**
 * Where lines of a log go. A sink that returns has the lines: they survive the death of the process.
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** A log that could not be opened or written. What was acknowledged before stays. */
export class SessionLogError extends Schema.TaggedError<SessionLogError>()("SessionLogError", {
  /** `Id` and `Event` are the caller's to mend; the others tell of the file. */
  reason: Schema.Literal("Id", "Event", "Schema", "Unwritable", "Busy", "Full", "Corrupt"),
  /** The file, or the option. */
  path: Schema.String,
  details: Schema.String,
  remedy: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  override get message() {
    return `${this.path}: ${this.details} ${this.remedy}`
  }
}

export interface Sink {
  readonly path: string
  /** All lines or none; in order. */
  readonly write: (lines: ReadonlyArray<string>) => Effect.Effect<void, SessionLogError>
}
