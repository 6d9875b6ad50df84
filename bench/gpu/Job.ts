/**
 * A job is what one child process of bench/gpu.ts measures, and the messages in which it reports.
 *
 * Each finished figure is a row of a table, sent at once as one line of JSON, so that what was measured before a crash or a time limit
 * is kept. A part of the bench is one job or several.
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { DeviceName } from "../../src/core/config/RunConfig.ts"

/** The options of the bench, as its children get them. */
export const Options = Schema.Struct({
  device: DeviceName.pipe(Schema.filter((name) => name !== "auto")),
  /** Small sizes, for a software device or a processor. */
  tiny: Schema.Boolean,
  /** Names of settings that take turns in part 3: see Variants.ts. */
  variants: Schema.NonEmptyArray(Schema.String),
  /** The Python that may have PyTorch. */
  python: Schema.String
})
export type Options = typeof Options.Type

/** A row of a table: flat, so that it can be printed and read by other programs. */
export const Row = Schema.Record({
  key: Schema.String,
  value: Schema.Union(Schema.String, Schema.Number, Schema.Boolean, Schema.Null)
})
export type Row = typeof Row.Type

/** What a child sends. `Done` comes last, after everything was released. */
export const Message = Schema.Union(
  Schema.TaggedStruct("Figure", { table: Schema.String, row: Row }),
  Schema.TaggedStruct("Failed", { details: Schema.String }),
  Schema.TaggedStruct("Done", {})
)
export type Message = typeof Message.Type
export type Figure = Extract<Message, { readonly _tag: "Figure" }>

/** Reports a figure. A cell `passed: false` makes the part fail. */
export type Report = (table: string, row: Row) => Effect.Effect<void>

/** One child process. */
export interface Job {
  readonly name: string
  /** Its share of the bench's time, relative to those of the other jobs. */
  readonly weight: number
  /** Any failure is reported with its message. `timeLeft` is the share of the job's limit of time that is left, from 1 to 0. */
  readonly run: (options: Options, report: Report, timeLeft: () => number) => Effect.Effect<void, unknown>
  /** Figures that the parent reads from what native code printed on the child's stderr. */
  readonly read?: (stderr: string) => ReadonlyArray<Omit<Figure, "_tag">>
}

/** What went wrong, in one line. */
export const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n").slice(0, 3).join(" ")
