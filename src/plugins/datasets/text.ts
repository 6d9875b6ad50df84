/**
 * Plain text files as documents, split into training and validation.
 *
 * One file is one document (a file above `document_bytes` is several, Documents.ts); which files are held out is the rule
 * of Split.ts. Text must be UTF-8. The fingerprint is over the text of the documents, split by split, not over names or
 * times, and reads everything. It does not clean, deduplicate or shuffle.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { DatasetKind, type Split } from "../../core/Dataset.ts"
import * as Plugin from "../../core/plugin/Plugin.ts"
import * as Documents from "./text/Documents.ts"
import { fingerprint } from "./text/Fingerprint.ts"
import * as HeldOut from "./text/HeldOut.ts"

export const Config = Schema.Struct({
  ...HeldOut.fields(".txt", "notes/*.txt"),
  document_bytes: Schema.optionalWith(Schema.Int.pipe(Schema.greaterThanOrEqualTo(4)), {
    default: () => 16 * 1024 * 1024
  }).annotations({
    description: "A file longer than this many bytes is several documents, cut at line breaks."
  })
})

export const TextDataset = Plugin.make(DatasetKind, "text", {
  description: "text files, split into training and validation",
  config: Config,
  make: (config) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const ranges = yield* HeldOut.ranges(config, { cutNear: Documents.cutNear })
      const documents = (split: Split) =>
        Stream.fromIterable(ranges[split]).pipe(
          Stream.flatMap((range) => Documents.read(range, config.document_bytes)),
          Stream.provideService(FileSystem.FileSystem, fs)
        )
      return { documents, fingerprint: fingerprint(documents) }
    })
})
