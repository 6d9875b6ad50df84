/**
 * Texts that a tokenizer is trained on or measured with: strings, files, or any dataset plugin.
 *
 * Files come in natural order of their paths, whatever the order in which they were named, and each counts once. The dataset
 * plugin that declares a file's name reads it; files of other names are plain text. A directory means its plain text files or, with
 * `field`, those of the plugin whose config has this key.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { PluginSection } from "../../core/config/RunConfig.ts"
import { Dataset, DatasetError, type Document } from "../../core/Dataset.ts"
import { naturalOrder } from "../../core/data/NaturalOrder.ts"
import * as ExitCode from "../../core/ExitCode.ts"
import * as FilePattern from "../../core/plugin/FilePattern.ts"
import { type PluginInfo, Registry, type ResolveError } from "../../core/plugin/Registry.ts"
import { datasetPlugins } from "../../plugins/builtins.ts"

/** Where texts come from. All parts are optional. */
export interface TextSource {
  readonly texts?: ReadonlyArray<string>
  /** Files, directories and patterns. */
  readonly paths?: ReadonlyArray<string>
  /** The field of NDJSON files that contains the text. Default `text`. */
  readonly field?: string | undefined
  /** A dataset plugin with its config. Both of its splits are read. */
  readonly dataset?: PluginSection | undefined
}

/** Texts, and what is known of where they come from. */
export interface OpenedTexts {
  readonly files: ReadonlyArray<Dataset.File>
  /** The field that was read, if there are files with fields. */
  readonly field: string | undefined
  readonly documents: Stream.Stream<Document, DatasetError>
  /** The fingerprint of the dataset plugin. */
  readonly fingerprint: Effect.Effect<string, DatasetError> | undefined
}

/** A source that contradicts itself, or has no texts. */
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

/** Finds the files. They are read when the documents are. */
export const open = (
  source: TextSource
): Effect.Effect<OpenedTexts, TextSourceError | DatasetError | ResolveError, Registry | Scope.Scope> =>
  Effect.gen(function* () {
    const { texts = [], paths = [], field, dataset } = source
    const plugins = (yield* Registry).list(Dataset.kind.name)
    const withField = plugins.filter(hasField)
    const readerOf = ({ path }: Dataset.File) =>
      FilePattern.readerOf(plugins, path.replace(/.*[\\/]/, ""))?.plugin ?? datasetPlugins.files
    const all = (name: string, paths: ReadonlyArray<string>) => {
      const fields = field === undefined || !withField.some((plugin) => plugin.name === name) ? {} : { field }
      return pluginOf({ name, paths, ...fields, validation: { fraction: 0 } })
    }

    // Any plugin gives all files of paths and patterns, and of directories the files that it reads.
    const finder = field === undefined ? datasetPlugins.files : (withField[0]?.name ?? datasetPlugins.files)
    const found = paths.length === 0 ? [] : (yield* all(finder, paths)).files
    const files = [...found].sort((a, b) => naturalOrder(a.path, b.path))
    const groups = Object.entries(Arr.groupBy(files, readerOf))
    const reader = withField.find((plugin) => groups.some(([name]) => name === plugin.name))
    if (field !== undefined && reader === undefined) {
      const known = FilePattern.describe(withField).join(", ")
      return yield* new TextSourceError({
        details: `The field "${field}" is not used: none of the files has fields (${known}).`,
        remedy: "Remove it, or give such files."
      })
    }

    const streams: Array<Stream.Stream<Document, DatasetError>> = []
    if (texts.length > 0) streams.push(Stream.fromIterable(texts.map((text, i) => ({ id: `text ${i + 1}`, text }))))
    // Plain text first.
    const [others, plain] = Arr.partition(groups, ([name]) => name === datasetPlugins.files)
    for (const [name, group] of [...plain, ...others]) {
      streams.push(
        (yield* all(
          name,
          group.map(({ path }) => path)
        )).documents("train")
      )
    }
    const other = dataset === undefined ? undefined : yield* pluginOf(dataset)
    if (other !== undefined) streams.push(other.documents("train"), other.documents("validation"))
    return {
      files,
      field: reader === undefined ? undefined : (field ?? (yield* defaultField(reader))),
      documents: streams.reduce((before, stream) => Stream.concat(before, stream), Stream.empty),
      fingerprint: other?.fingerprint
    }
  })

/** The dataset of a section. A fault of the data is reported as itself. */
const pluginOf = ({ name, ...config }: PluginSection) =>
  Effect.flatMap(Registry, (registry) => registry.resolve(Dataset.kind, name, config)).pipe(
    Effect.catchTag("PluginInitError", (error) =>
      Effect.fail(error.cause instanceof DatasetError ? error.cause : error)
    )
  )

/** Whether the plugin's config has the key `field`, by its JSON Schema. */
const hasField = ({ config }: PluginInfo): boolean =>
  Predicate.hasProperty(config, "properties") && Predicate.hasProperty(config.properties, "field")

const defaultField = ({ name }: PluginInfo) =>
  Effect.map(
    Effect.flatMap(Registry, (registry) => registry.decode(Dataset.kind, name, { paths: "any" })),
    (config) => (Predicate.hasProperty(config, "field") && typeof config.field === "string" ? config.field : undefined)
  )
