/**
 * The `data` of a run: text that is given in code as the section of a dataset plugin, and the plugin that reads a file.
 *
 * Plugins declare the names of the files that they read (core/plugin/FilePattern.ts), so a path finds its dataset.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Config from "../core/config/Config.ts"
import { type ConfigError, fault } from "../core/config/ConfigIssue.ts"
import * as Node from "../core/config/ConfigNode.ts"
import type { PluginSection } from "../core/config/RunConfig.ts"
import { Dataset } from "../core/Dataset.ts"
import * as FilePattern from "../core/plugin/FilePattern.ts"
import { Registry } from "../core/plugin/Registry.ts"
import { datasetPlugins } from "../plugins/builtins.ts"

/** Text to train or evaluate on: a path or a pattern, documents, several paths, or the section of a dataset plugin. */
export type Data = string | ReadonlyArray<string> | Paths | PluginSection

/** Files, with further keys of the dataset plugin that reads them, such as `validation`. */
export interface Paths {
  readonly paths: string | ReadonlyArray<string>
  readonly validation?: unknown
  readonly seed?: number
}

/** The config section of data that is given in code; without the plugin's name if only the data tells it. */
export const dataSection = (data: Data) =>
  typeof data === "string" ? { paths: data } : isDocuments(data) ? { documents: data } : data

/**
 * The section of the dataset plugin for data that is given in code: the plugin that reads files of that name, the one for
 * documents, or the one that is named. `rest` are further keys for a plugin that is not named.
 */
export const datasetSection = (
  data: Data,
  rest: { readonly [key: string]: unknown } = {}
): Effect.Effect<PluginSection, ConfigError, Registry> =>
  Effect.gen(function* () {
    const registry = yield* Registry
    const section = dataSection(data)
    if ("name" in section) return section
    if ("documents" in section) return { name: datasetPlugins.documents, ...section, ...rest }
    const paths = typeof section.paths === "string" ? [section.paths] : section.paths
    const readers = paths.map((path) => pluginOf(registry.list(Dataset.kind.name), path) ?? datasetPlugins.files)
    const [name = datasetPlugins.files] = readers
    const other = readers.findIndex((reader) => reader !== name)
    if (other >= 0) {
      const details = `${paths[0]} is read by the dataset ${name}, and ${paths[other]} by ${readers[other]}. Give files of one kind.`
      return yield* fault("data", details)
    }
    return { name, ...section, ...rest }
  })

/** The dataset plugin that reads files of this name, or of this pattern of names. */
const pluginOf = (readers: ReadonlyArray<FilePattern.Reader>, path: string): string | undefined =>
  FilePattern.readerOf(readers, path.replace(/.*[\\/]/, ""))?.plugin

export const isDocuments = (data: Data): data is ReadonlyArray<string> => Array.isArray(data)

export const isDataset = (data: unknown): data is Dataset.Service =>
  Predicate.hasProperty(data, "documents") && Predicate.isFunction(data.documents)

export const isPaths = Schema.is(Schema.Struct({ paths: Schema.Union(Schema.String, Schema.Array(Schema.String)) }))
export const hasDocuments = Schema.is(Schema.Struct({ documents: Schema.Array(Schema.String) }))

/**
 * The data section, if it has paths whose writer did not choose the dataset. Files that another dataset reads are refused there: the
 * default one would take the JSON of `data.paths=notes.jsonl` for the text.
 */
const notChosen = (composed: Config.Composed) => {
  const section = Node.get(composed.root, ["data"])
  const data = section === undefined ? undefined : Node.toValue(section)
  const other = sourceOf(composed, "name") !== sourceOf(composed, "paths")
  return other && isPaths(data) && Predicate.hasProperty(data, "name") ? data : undefined
}

/** Whether files of any name may be read: there are no paths, or whoever gave them chose the dataset too. */
export const isChosen = (composed: Config.Composed): boolean => notChosen(composed) === undefined

/** Refuses paths that another dataset reads, unless the dataset was chosen. */
export const checkPaths = (composed: Config.Composed, readers: ReadonlyArray<FilePattern.Reader>) =>
  Effect.gen(function* () {
    const data = notChosen(composed)
    if (data === undefined) return
    for (const path of typeof data.paths === "string" ? [data.paths] : data.paths) {
      const reader = pluginOf(readers, path)
      if (reader === undefined || reader === data.name) continue
      const details =
        `${path} is a file of the dataset ${reader}, and data.name is ${data.name}. ` +
        `Add data.name=${reader}, or data.name=${data.name} to take the file as it is.`
      return yield* fault(Node.originOf(composed.root, ["data", "paths"]), details, ["data", "paths"])
    }
  })

/** Where a key of the data section was written, without the line. */
const sourceOf = (composed: Config.Composed, key: string) =>
  Node.originOf(composed.root, ["data", key]).replace(/:\d+$/, "")

/**
 * Refuses the files of a dataset that another one reads. Not every path shows them: `notes/*` finds files of any ending. For a dataset
 * that was not chosen. `origin` is what gave the paths.
 */
export const checkFiles = (name: string, files: ReadonlyArray<Dataset.File>, origin: "data.paths" | "data") =>
  Effect.gen(function* () {
    const readers = (yield* Registry).list(Dataset.kind.name)
    for (const { path } of files) {
      const reader = pluginOf(readers, path)
      if (reader === undefined || reader === name) continue
      const ending = path.replace(/[^\\/]*(\.[^.\\/]+)$/, "*$1")
      const choice = origin === "data" ? "" : `, or choose the dataset: data.name=${name} takes all files as they are`
      const details =
        `${path} is a file of the dataset ${reader}, and would be read by the dataset ${name}. ` +
        `Give files of one kind, such as '${ending}'${choice}.`
      return yield* fault(origin, details)
    }
  })
