/**
 * Texts that a tokenizer is trained on or measured with: strings, files, or any dataset plugin.
 *
 * Files come in natural order of their paths, whatever the order in which they were named, and each counts once. NDJSON is
 * known by its name; of a folder its .txt files are meant, or with `field` its NDJSON files.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { PluginSection } from "../../core/config/RunConfig.ts"
import { Dataset, type DatasetError, type Document } from "../../core/Dataset.ts"
import { naturalOrder } from "../../core/data/NaturalOrder.ts"
import * as ExitCode from "../../core/ExitCode.ts"
import { Registry, type ResolveError } from "../../core/plugin/Registry.ts"
import { extensions as ndjson } from "../../plugins/datasets/ndjson.ts"
import { find, type TextFile } from "../../plugins/datasets/TextFiles.ts"

/** Where texts come from. What is left out gives none. */
export interface TextSource {
  readonly texts?: ReadonlyArray<string>
  /** Files, folders and patterns. */
  readonly paths?: ReadonlyArray<string>
  /** The field of NDJSON files that holds the text. Default `text`. */
  readonly field?: string | undefined
  /** A dataset plugin with its config; both of its splits are taken. */
  readonly dataset?: PluginSection | undefined
}

export interface OpenedTexts {
  readonly files: ReadonlyArray<TextFile>
  /** The field that was read, when there are NDJSON files. */
  readonly field: string | undefined
  readonly documents: Stream.Stream<Document, DatasetError>
  /** Of the dataset plugin. */
  readonly fingerprint: Effect.Effect<string, DatasetError> | undefined
}

/** A source that contradicts itself, or gives nothing. */
export class TextSourceError extends Schema.TaggedError<TextSourceError>()("TextSourceError", {
  details: Schema.String,
  remedy: Schema.String
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    return `${this.details} ${this.remedy}`
  }
}

const isNdjson = ({ path }: TextFile) => ndjson.some((extension) => path.endsWith(extension))

/** Finds the files; they are read when the documents are. */
export const open = (
  source: TextSource
): Effect.Effect<
  OpenedTexts,
  TextSourceError | DatasetError | ResolveError,
  Registry | FileSystem.FileSystem | Path.Path | Scope.Scope
> =>
  Effect.gen(function* () {
    const { texts = [], paths = [], field, dataset } = source
    const registry = yield* Registry
    const found = paths.length === 0 ? [] : yield* find(paths, field === undefined ? [".txt"] : ndjson)
    const files = [...found].sort((a, b) => naturalOrder(a.path, b.path))
    const rows = files.filter(isNdjson)
    if (field !== undefined && rows.length === 0) {
      return yield* new TextSourceError({
        details: `The field "${field}" has no meaning: none of the files is NDJSON (${ndjson.join(", ")}).`,
        remedy: "Leave it out, or give NDJSON files."
      })
    }
    const plain = files.filter((file) => !isNdjson(file))
    const all = (name: string, config: { readonly [key: string]: unknown }) =>
      registry.resolve(Dataset.kind, name, { ...config, validation: { fraction: 0 } })
    const pathsOf = (some: ReadonlyArray<TextFile>) => some.map(({ path }) => path)

    const streams: Array<Stream.Stream<Document, DatasetError>> = []
    if (texts.length > 0) streams.push(Stream.fromIterable(texts.map((text, i) => ({ id: `text ${i + 1}`, text }))))
    if (plain.length > 0) streams.push((yield* all("text", { paths: pathsOf(plain) })).documents("train"))
    if (rows.length > 0) {
      const config = { paths: pathsOf(rows), ...(field === undefined ? {} : { field }) }
      streams.push((yield* all("ndjson", config)).documents("train"))
    }
    const other = dataset === undefined ? undefined : yield* pluginOf(dataset)
    if (other !== undefined) streams.push(other.documents("train"), other.documents("validation"))
    return {
      files,
      field: rows.length > 0 ? (field ?? "text") : undefined,
      documents: streams.reduce((before, stream) => Stream.concat(before, stream), Stream.empty),
      fingerprint: other?.fingerprint
    }
  })

const pluginOf = ({ name, ...config }: PluginSection) =>
  Effect.flatMap(Registry, (registry) => registry.resolve(Dataset.kind, name, config))
