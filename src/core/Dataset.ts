/**
 * The dataset kind: documents of text, split into training and validation.
 *
 * Laws (src/testing/dataset.ts): 1. the splits are disjoint and their union is everything; 2. documents come in the same
 * order every time; 3. the fingerprint changes when any document, its order or the split does, and never otherwise.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import * as Plugin from "./plugin/Plugin.ts"

export type Split = "train" | "validation"

/** Data that cannot be read as asked. `path` is the file or pattern, `line` counts from 1. */
export class DatasetError extends Schema.TaggedError<DatasetError>()("DatasetError", {
  reason: Schema.Literal("NotFound", "Empty", "InvalidText", "Unreadable"),
  path: Schema.String,
  line: Schema.optional(Schema.Number),
  details: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${this.path}${this.line === undefined ? "" : `:${this.line}`}: ${this.details} ${this.remedy}`
  }
}

export interface Document {
  /** Where it came from: a path, or a path and a row. Unique within the dataset. */
  readonly id: string
  readonly text: string
}

export class Dataset extends Context.Tag("codex/Dataset")<Dataset, Dataset.Service>() {}

export declare namespace Dataset {
  interface Service {
    /** Documents of a split, one at a time: bounded memory however large the data. */
    readonly documents: (split: Split) => Stream.Stream<Document, DatasetError>
    /** SHA-256 (hex) over contents, order and split. */
    readonly fingerprint: Effect.Effect<string, DatasetError>
  }
}

export const DatasetKind = Plugin.kind("dataset", { api: 1, tag: Dataset })
