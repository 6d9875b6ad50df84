/**
 * Opens a tokenizer by one word: the path of a file, a directory or a run, or the name of a plugin that needs no config.
 *
 * The registry decides which plugin reads a file (FilePattern.ts): plugins of other packages are found as those of codex are. A
 * directory must have one tokenizer, or one file that takes precedence over the others, such as a tokenizer.json.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import { nearest } from "../../core/config/Suggestion.ts"
import * as FileFault from "../../core/data/FileFault.ts"
import * as FilePattern from "../../core/plugin/FilePattern.ts"
import { type PluginInfo, Registry } from "../../core/plugin/Registry.ts"
import { Tokenizer } from "../../core/Tokenizer.ts"
import * as TextFile from "../../services/files/TextFile.ts"
import { tokenizerAt } from "../RunComponents.ts"
import { decodeSaved } from "../RunPlan.ts"

/** A path or name that leads to no tokenizer, or to several. */
export class TokenizerNotFound extends Schema.TaggedError<TokenizerNotFound>()("TokenizerNotFound", {
  tokenizer: Schema.String,
  details: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${this.tokenizer}: ${this.details} ${this.remedy}`
  }
}

/** A tokenizer, and where it comes from. */
export interface OpenedTokenizer {
  /** The path or name that was given. */
  readonly name: string
  /** The plugin that made it. */
  readonly plugin: string
  readonly tokenizer: Tokenizer.Service
}

/** How to open a tokenizer. */
export interface OpenOptions {
  /** Further keys of the plugin's config, such as `encoding` for a file whose name does not say it. */
  readonly config?: { readonly [key: string]: unknown }
}

/**
 * Opens a tokenizer until the scope closes.
 *
 *     const { tokenizer } = yield* openTokenizer("models/llama3")
 */
export const openTokenizer = (name: string, { config = {} }: OpenOptions = {}) =>
  Effect.gen(function* () {
    const found = yield* locate(name)
    const unknown = yield* unknownKeys(found, config)
    if (unknown !== undefined) return yield* unknown
    return yield* open(found, config)
  })

/** Opens two tokenizers. Each key of `config` goes to those whose plugin has it; one of them must. */
export const openTokenizerPair = (names: readonly [string, string], { config = {} }: OpenOptions = {}) =>
  Effect.gen(function* () {
    const [first, second] = [yield* locate(names[0]), yield* locate(names[1])]
    const [keysOfFirst, keysOfSecond] = [yield* configKeys(first), yield* configKeys(second)]
    const has = (keys: ReadonlyArray<string> | undefined, key: string) => keys?.includes(key) ?? true
    const unknown = Object.keys(config).find((key) => !has(keysOfFirst, key) && !has(keysOfSecond, key))
    if (unknown !== undefined) return yield* keyNotFound(first, unknown)
    const given = (keys: ReadonlyArray<string> | undefined) => Record.filter(config, (_, key) => has(keys, key))
    return [yield* open(first, given(keysOfFirst)), yield* open(second, given(keysOfSecond))] as const
  })

/** What a name leads to: a plugin, with a file or without one, or a run. */
type Located =
  | { readonly _tag: "Plugin"; readonly name: string; readonly plugin: string; readonly path: string | undefined }
  | { readonly _tag: "Run"; readonly name: string }

const locate = (
  name: string
): Effect.Effect<Located, TokenizerNotFound, Registry | FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const plugins = (yield* Registry).list(Tokenizer.kind.name)
    const info = yield* fs.stat(name).pipe(
      Effect.catchIf(isMissing, () => Effect.succeed(undefined)),
      Effect.mapError((cause) =>
        notFound(name, `cannot be read: ${FileFault.of(cause).details}.`, "Check the path and your permissions.")
      )
    )
    const names = plugins.map((plugin) => plugin.name)
    if (names.includes(name)) {
      if (info === undefined) return { _tag: "Plugin", name, plugin: name, path: undefined }
      return yield* notFound(
        name,
        "is the name of a tokenizer plugin and of a file or directory here.",
        `Write ./${name} for the file or directory, or run the command elsewhere.`
      )
    }
    if (info === undefined) {
      const near = nearest(name, names)
      return yield* notFound(
        name,
        "there is no such file or directory, and no tokenizer plugin of that name.",
        near === undefined
          ? "Give the path of a tokenizer or a run, or the name of a tokenizer plugin that needs no config."
          : `Did you mean ${near}?`
      )
    }
    if (info.type === "Directory") return yield* inDirectory(name, plugins)
    const reader = FilePattern.readerOf(plugins, paths.basename(name))
    if (reader !== undefined) {
      const { fileName, plugin } = reader
      return { _tag: "Plugin", name, plugin, path: paths.join(paths.dirname(name), fileName) }
    }
    return yield* notFound(
      name,
      "no tokenizer plugin reads a file of this name.",
      `Known names are ${FilePattern.describe(plugins).join(", ")}.`
    )
  })

const isMissing = (error: PlatformError) => error._tag === "SystemError" && error.reason === "NotFound"

const notFound = (tokenizer: string, details: string, remedy: string) =>
  new TokenizerNotFound({ tokenizer, details, remedy })

const inDirectory = (directory: string, plugins: ReadonlyArray<PluginInfo>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const entries = yield* fs.readDirectory(directory).pipe(
      Effect.map((names) => names.sort()),
      Effect.mapError((cause) =>
        notFound(directory, `cannot be read: ${FileFault.of(cause).details}.`, "Check your permissions.")
      )
    )
    if (entries.includes("config.yaml") && (entries.includes("checkpoints") || entries.includes("tokenizer"))) {
      return { _tag: "Run", name: directory } satisfies Located
    }
    const [first, ...others] = FilePattern.readableIn(plugins, entries)
    if (first !== undefined && others.length === 0) {
      const path = paths.join(directory, first.fileName)
      return { _tag: "Plugin", name: directory, plugin: first.plugin, path } satisfies Located
    }
    if (first !== undefined) {
      const found = [first, ...others].map(({ fileName }) => fileName).join(", ")
      return yield* notFound(
        directory,
        `contains several tokenizers: ${found}.`,
        "Give the path of one of these files."
      )
    }
    const below = yield* Effect.filter(entries.slice(0, 100), (entry) =>
      fs.readDirectory(paths.join(directory, entry)).pipe(
        Effect.map((inside) => FilePattern.readableIn(plugins, inside).length > 0),
        Effect.orElseSucceed(() => false)
      )
    )
    return yield* notFound(
      directory,
      `is a directory without a tokenizer: it has none of ${FilePattern.describe(plugins).join(", ")}, and is not a run.`,
      below.length === 0
        ? "Give the path of a tokenizer."
        : `There are tokenizers in ${below.map((entry) => paths.join(directory, entry)).join(", ")}.`
    )
  })

const open = (located: Located, config: { readonly [key: string]: unknown }) =>
  Effect.gen(function* () {
    if (located._tag === "Run") return yield* ofRun(located.name)
    const { name, path, plugin } = located
    const registry = yield* Registry
    if (path !== undefined) {
      const tokenizer = yield* registry.resolve(Tokenizer.kind, plugin, { ...config, path })
      return { name, plugin, tokenizer } satisfies OpenedTokenizer
    }
    return yield* registry.resolve(Tokenizer.kind, plugin, config).pipe(
      Effect.map((tokenizer): OpenedTokenizer => ({ name, plugin, tokenizer })),
      Effect.catchTag("PluginConfigError", () =>
        notFound(name, "is a tokenizer plugin that needs a config.", "Give the path of a file or directory instead.")
      )
    )
  })

/** The keys of the plugin's config, as far as its JSON Schema lists them. A run's config is saved with it. */
const configKeys = (located: Located) =>
  Effect.gen(function* () {
    if (located._tag === "Run") return []
    const { config } = yield* Effect.flatMap(Registry, (registry) =>
      registry.describe(Tokenizer.kind.name, located.plugin)
    )
    // How Effect writes the schema of a Struct without fields.
    if (Predicate.hasProperty(config, "$id") && config.$id === "/schemas/%7B%7D") return []
    return Predicate.hasProperty(config, "properties") && Predicate.isRecord(config.properties)
      ? Object.keys(config.properties)
      : undefined
  })

const unknownKeys = (located: Located, config: { readonly [key: string]: unknown }) =>
  Effect.map(Object.keys(config).length === 0 ? Effect.succeed(undefined) : configKeys(located), (known) => {
    const key = Object.keys(config).find((name) => known !== undefined && !known.includes(name))
    return key === undefined ? undefined : keyNotFound(located, key)
  })

const keyNotFound = (located: Located, key: string) =>
  notFound(
    located.name,
    located._tag === "Run"
      ? `is a run, whose config decides: ${key} cannot be set.`
      : `the plugin ${located.plugin} has no setting ${key}.`,
    `Remove ${key}.`
  )

/** The tokenizer that a run was trained with. */
const ofRun = (directory: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const file = paths.join(directory, "config.yaml")
    const yaml = yield* Effect.mapError(TextFile.read(fs, file), (cause) =>
      notFound(directory, `the run's config cannot be read: ${FileFault.of(cause).details}.`, "Check your permissions.")
    )
    const config = yield* decodeSaved(yaml, file)
    const tokenizer = yield* tokenizerAt(config.tokenizer, paths.join(directory, "tokenizer"))
    return { name: directory, plugin: config.tokenizer.name, tokenizer } satisfies OpenedTokenizer
  })
