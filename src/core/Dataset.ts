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
import * as Encoding from "effect/Encoding"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Plugin from "./plugin/Plugin.ts"

/** What a document is used for. */
export type Split = "train" | "validation"

/** Data that cannot be read as requested. `path` is the file or pattern, `line` counts from 1. */
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

/** One text of a dataset. */
export interface Document {
  /** Where it comes from: a path, or a path and a row. Unique within the dataset. */
  readonly id: string
  readonly text: string
}

/** The dataset of a run. */
export class Dataset extends Context.Tag("codex/Dataset")<Dataset, Dataset.Service>() {
  /** Data that cannot be read. */
  static readonly Error = DatasetError

  /** The kind of dataset plugins. */
  static readonly kind: Plugin.Kind<"dataset", Dataset, Dataset.Service> = Plugin.kind("dataset", {
    api: 1,
    tag: Dataset
  })

  /**
   * A dataset from the documents of its splits. The fingerprint is derived from them, once for each dataset made. The services
   * that reading needs are taken from here.
   */
  static make<R = never>(primitives: Dataset.Primitives<R>): Effect.Effect<Dataset.Service, never, R> {
    return Effect.gen(function* () {
      const context = yield* Effect.context<R>()
      const documents = (split: Split) => Stream.provideContext(primitives.documents(split), context)
      const given = primitives.fingerprint
      const fingerprint = yield* Effect.cached(
        given === undefined ? fingerprintOf(documents) : Effect.provide(given, context)
      )
      return { documents, fingerprint, files: primitives.files ?? [] }
    })
  }
}

export declare namespace Dataset {
  type Error = DatasetError
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
    /** SHA-256 (hex) over contents, order and split. Names and times of files do not matter. */
    readonly fingerprint: Effect.Effect<string, DatasetError>
    /** The files that the documents come from, in order; none if they come from elsewhere. */
    readonly files: ReadonlyArray<File>
  }
}

/**
 * A chain over the splits and their documents: each link is the SHA-256 of the link before it, of its type (a split or a
 * document) and of the SHA-256 of its content. No two datasets have the same chain, and only one document is held at a time.
 */
const fingerprintOf = (documents: Dataset.Service["documents"]): Effect.Effect<string, DatasetError> =>
  Effect.gen(function* () {
    const encoder = new TextEncoder()
    let chain = new Uint8Array(32)
    const link = (type: "split" | "document", content: string) =>
      Effect.gen(function* () {
        const digest = yield* sha256(encoder.encode(content))
        chain = yield* sha256(Uint8Array.from([...chain, ...encoder.encode(type), ...digest]))
      })
    for (const split of ["train", "validation"] as const) {
      yield* link("split", split)
      yield* Stream.runForEach(documents(split), ({ text }) => link("document", text))
    }
    return Encoding.encodeHex(chain)
  })

const sha256 = (bytes: Uint8Array<ArrayBuffer>) =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", bytes)),
    (digest) => new Uint8Array(digest)
  )
