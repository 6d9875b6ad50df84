/**
 * The tokenizer that a person names by one word: a folder, a file, a run, or a plugin that needs no config.
 *
 * What lies there decides which plugin reads it. A folder's tokenizer.json comes before everything else in it, since it holds
 * all that the others hold; otherwise a folder must hold one tokenizer, or it is not clear which is meant.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { nearest } from "../../core/config/ConfigIssue.ts"
import { Registry } from "../../core/plugin/Registry.ts"
import { type Tokenizer, TokenizerKind } from "../../core/Tokenizer.ts"
import { fileName } from "../../core/tokenizer/TokenizerFile.ts"
import { fileNames as pairs } from "../../plugins/tokenizers/huggingface/VocabularyAndMerges.ts"
import { tokenizerAt } from "../RunComponents.ts"
import { decodeSaved } from "../RunPlan.ts"

/** A name that leads to no tokenizer, or to several. */
export class TokenizerNotFound extends Schema.TaggedError<TokenizerNotFound>()("TokenizerNotFound", {
  tokenizer: Schema.String,
  details: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${this.tokenizer}: ${this.details} ${this.remedy}`
  }
}

export interface Named {
  /** As it was named. */
  readonly name: string
  /** The plugin that read it. */
  readonly plugin: string
  readonly tokenizer: Tokenizer.Service
}

export interface NameOptions {
  /** Of a .tiktoken file whose name does not say it: `cl100k_base`, … */
  readonly encoding?: string | undefined
}

interface Place {
  readonly plugin: string
  readonly path: string
}

/** Opens the tokenizer of a name; it lives as long as the scope. */
export const openTokenizer = (name: string, { encoding }: NameOptions = {}) =>
  Effect.gen(function* () {
    const registry = yield* Registry
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const fail = (details: string, remedy: string) => new TokenizerNotFound({ tokenizer: name, details, remedy })

    const info = yield* fs.stat(name).pipe(
      Effect.catchIf(isMissing, () => Effect.succeed(undefined)),
      Effect.mapError((cause) => fail(`cannot be read (${cause.message}).`, "Check the path and your permissions."))
    )
    const plugins = registry.list(TokenizerKind.name).map((plugin) => plugin.name)
    if (plugins.includes(name)) {
      if (info !== undefined) {
        return yield* fail(
          "is a tokenizer plugin, and there is a file or folder of that name.",
          `Write ./${name} for what lies here, or run the command elsewhere.`
        )
      }
      if (encoding !== undefined) return yield* fail(...withoutEncoding(encoding))
      return yield* registry.resolve(TokenizerKind, name, {}).pipe(
        Effect.map((tokenizer): Named => ({ name, plugin: name, tokenizer })),
        Effect.catchTag("PluginConfigError", () =>
          fail("is a tokenizer plugin that reads files.", "Give the path of a file or folder instead.")
        )
      )
    }
    if (info === undefined) {
      const near = nearest(name, plugins)
      return yield* fail(
        "there is no such file or folder, and no tokenizer plugin of that name.",
        near === undefined ? "Give a folder or file of a tokenizer, a run, or byte." : `Did you mean ${near}?`
      )
    }

    const place = yield* info.type === "Directory" ? inFolder(name) : Effect.succeed(ofFile(name, paths))
    if (place === undefined) {
      return yield* fail(
        "the name does not say what tokenizer the file holds.",
        "Known are tokenizer.json, vocab.json beside merges.txt, vocab.txt, *.model, *.tiktoken."
      )
    }
    if (encoding !== undefined && place.plugin !== "tiktoken") {
      return yield* fail(...withoutEncoding(encoding))
    }
    if (place.plugin === run) {
      const { config, tokenizer } = yield* ofRun(name)
      return { name, plugin: config.tokenizer.name, tokenizer } satisfies Named
    }
    const config = { path: place.path, ...(encoding === undefined ? {} : { encoding }) }
    return { name, plugin: place.plugin, tokenizer: yield* registry.resolve(TokenizerKind, place.plugin, config) }
  })

const withoutEncoding = (encoding: string) =>
  [`is no .tiktoken file, so ${encoding} says nothing of it.`, "Leave out the encoding."] as const

const isMissing = (error: { readonly _tag: string; readonly reason?: string }) => error.reason === "NotFound"

const run = "run"

const ofFile = (file: string, paths: Path.Path): Place | undefined => {
  const base = paths.basename(file)
  const pair = pairs.find(({ merges }) => merges === base)
  if (pair !== undefined) return { plugin: "huggingface", path: paths.join(paths.dirname(file), pair.vocabulary) }
  if (base === "vocab.txt") return { plugin: "bert", path: file }
  if (base === "vocabulary.txt") return { plugin: "whitespace", path: file }
  const plugin = { ".json": "huggingface", ".model": "sentencepiece", ".tiktoken": "tiktoken" }[paths.extname(base)]
  return plugin === undefined ? undefined : { plugin, path: file }
}

const inFolder = (folder: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const fail = (details: string, remedy: string) => new TokenizerNotFound({ tokenizer: folder, details, remedy })
    const entries = yield* fs.readDirectory(folder).pipe(
      Effect.map((names) => names.sort()),
      Effect.mapError((cause) => fail(`cannot be read (${cause.message}).`, "Check your permissions."))
    )
    if (entries.includes(fileName)) return { plugin: "huggingface", path: folder }
    if (entries.includes("config.yaml") && (entries.includes("checkpoints") || entries.includes("tokenizer"))) {
      return { plugin: run, path: folder }
    }
    const partners: ReadonlyArray<string> = pairs.map(({ merges }) => merges)
    const found = entries.flatMap((entry): ReadonlyArray<Place> => {
      // A configuration is JSON too, and a list of merges is half a tokenizer.
      if (entry.endsWith(".json") && !pairs.some((pair) => pair.vocabulary === entry && entries.includes(pair.merges)))
        return []
      if (partners.includes(entry)) return []
      const place = ofFile(paths.join(folder, entry), paths)
      return place === undefined ? [] : [place]
    })
    const [first, ...others] = found
    if (first !== undefined && others.length === 0) return first
    if (first !== undefined) {
      return yield* fail(
        `holds several tokenizers: ${found.map(({ path }) => paths.basename(path)).join(", ")}.`,
        "Name one of the files."
      )
    }
    const below = yield* Effect.filter(entries.slice(0, 100), (entry) =>
      Effect.orElseSucceed(fs.exists(paths.join(folder, entry, fileName)), () => false)
    )
    return yield* fail(
      "is a folder without a tokenizer: looked for tokenizer.json, vocab.json with merges.txt, vocab.txt, " +
        "*.model, *.tiktoken, and a run's config.yaml.",
      below.length === 0
        ? "Give the folder or file of one."
        : `There are some below: ${below.map((entry) => paths.join(folder, entry)).join(", ")}.`
    )
  })

/** The tokenizer that a run was trained with. */
const ofRun = (directory: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const file = paths.join(directory, "config.yaml")
    const yaml = yield* Effect.mapError(
      fs.readFileString(file),
      (cause) =>
        new TokenizerNotFound({
          tokenizer: directory,
          details: `the run's config cannot be read (${cause.message}).`,
          remedy: "Check your permissions."
        })
    )
    const config = yield* decodeSaved(yaml, file)
    return { config, tokenizer: yield* tokenizerAt(config.tokenizer, paths.join(directory, "tokenizer")) }
  })
