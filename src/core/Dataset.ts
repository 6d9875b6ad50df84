/**
 * The dataset kind: documents of text, split into training and validation.
 *
 *     const dataset = yield* Dataset.make({
 *       documents: (split) => Stream.make(split === "train" ? { id: "1", text: "To be" } : { id: "2", text: "or not" })
 *     })
 *
 * Laws (src/testing/dataset.ts): 1. the splits are disjoint and their union is everything; 2. documents come in the same
 * order every time; 3. the fingerprint changes when any document, its order or the split does, and never otherwise.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as DatasetIdentity from "./data/DatasetIdentity.ts"
import * as Plugin from "./plugin/Plugin.ts"

/** What a document is used for. */
export type Split = DatasetIdentity.Split

/** Data that cannot be read as requested. `path` is the file or pattern, `line` counts from 1. */
export class DatasetError extends Schema.TaggedError<DatasetError>()("DatasetError", {
  reason: Schema.Literal("NotFound", "Empty", "InvalidText", "Unreadable", "Changed"),
  path: Schema.String,
  line: Schema.optional(Schema.Number),
  details: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${this.path}${this.line === undefined ? "" : `:${this.line}`}: ${this.details} ${this.remedy}`
  }
}

/** One text of a dataset. */
export interface Document {
  /** Where it comes from: a path, or a path and a row. Unique within the dataset. */
  readonly id: string
  readonly text: string
  /** The path of its file, if it is from a file. A change of the data is told by these names. */
  readonly source?: string
}

/** The dataset of a run. */
export class Dataset extends Context.Tag("codex/Dataset")<Dataset, Dataset.Service>() {
  /** Data that cannot be read. */
  static readonly Error = DatasetError

  /** The kind of dataset plugins. */
  static readonly kind: Plugin.Kind<"dataset", Dataset, Dataset.Service> = Plugin.kind("dataset", {
    api: 1,
    tag: Dataset,
    contract: {
      documents: Schema.Struct({ id: Schema.String, text: Schema.String }),
      identity: DatasetIdentity.DatasetIdentity,
      fingerprint: Schema.String,
      files: Schema.Array(Schema.Struct({ path: Schema.String, bytes: Schema.Number }))
    }
  })

  /**
   * A dataset from the documents of its splits. Identity and fingerprint are derived from them, once for each dataset made.
   * Documents that are read after that are compared with it: if they have changed, reading ends with an error. The services that
   * reading needs are taken from here.
   */
  static make<R = never>(primitives: Dataset.Primitives<R>): Effect.Effect<Dataset.Service, never, R> {
    return Effect.gen(function* () {
      const context = yield* Effect.context<R>()
      const read = (split: Split) => Stream.provideContext(primitives.documents(split), context)
      const known = yield* Ref.make(Option.none<DatasetIdentity.DatasetIdentity>())
      const given = primitives.fingerprint
      const identity = yield* Effect.cached(
        given === undefined
          ? Effect.tap(DatasetIdentity.ofDocuments(read), (identity) => Ref.set(known, Option.some(identity)))
          : Effect.flatMap(Effect.provide(given, context), DatasetIdentity.ofFingerprint)
      )
      const documents = (split: Split) =>
        Stream.unwrap(
          Effect.map(Ref.get(known), (identity) =>
            Option.isNone(identity)
              ? read(split)
              : DatasetIdentity.checked(read(split), identity.value[split], changedWhileRead)
          )
        )
      const fingerprint = Effect.map(identity, ({ fingerprint }) => fingerprint)
      return { documents, identity, fingerprint, files: primitives.files ?? [] }
    })
  }
}

export declare namespace Dataset {
  type Error = DatasetError
  /** What makes two datasets the same. */
  type Identity = DatasetIdentity.DatasetIdentity
  /** A file that documents come from. */
  interface File {
    readonly path: string
    readonly bytes: number
  }
  interface Primitives<R = never> {
    /** Documents of a split, one at a time, in the same order every time. */
    readonly documents: (split: Split) => Stream.Stream<Document, DatasetError, R>
    /** Default: computed from all documents. Give your own where it is known without reading them. */
    readonly fingerprint?: Effect.Effect<string, DatasetError, R>
    /** Default: none. */
    readonly files?: ReadonlyArray<File>
  }
  interface Service {
    /** Documents of a split, one at a time: bounded memory however large the data. */
    readonly documents: (split: Split) => Stream.Stream<Document, DatasetError>
    /** The SHA-256 of each split and of its sources, and their names. Two datasets are the same if their fingerprints are. */
    readonly identity: Effect.Effect<Identity, DatasetError>
    /** SHA-256 (hex) over contents, order and split. Names and times of files do not matter. */
    readonly fingerprint: Effect.Effect<string, DatasetError>
    /** The files that the documents come from, in order; none if they come from elsewhere. */
    readonly files: ReadonlyArray<File>
  }
}

const changedWhileRead = (source: string | undefined) =>
  new DatasetError({
    reason: "Changed",
    path: source ?? "The dataset",
    details: "the text changed while it was read.",
    remedy: "Run again when no other program writes to it."
  })
