/**
 * Saves any tokenizer that has a tokenizer.json as a directory that Hugging Face's libraries open: the job of `codex tokenizer
 * export`.
 *
 * Other files in the directory are kept, except the manifest of a trained tokenizer that is replaced.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { checkWritable, writeFiles } from "../../services/files/AtomicFiles.ts"
import { FileError } from "../../services/files/FileError.ts"
import type { OpenedTokenizer } from "./openTokenizer.ts"
import * as TrainingManifest from "./TrainingManifest.ts"
import { TokenizerExists } from "./trainTokenizer.ts"

/** A tokenizer that cannot be written as a tokenizer.json. */
export class TokenizerExportError extends Schema.TaggedError<TokenizerExportError>()("TokenizerExportError", {
  tokenizer: Schema.String,
  plugin: Schema.String
}) {
  override get message() {
    return (
      `${this.tokenizer}: the plugin ${this.plugin} runs its own code, which a tokenizer.json cannot describe, ` +
      "so other tools could not open it. Export a tokenizer that is trained with codex or loaded from a known format."
    )
  }
}

/** What to save, and where. */
export interface ExportTokenizerOptions {
  readonly tokenizer: OpenedTokenizer
  readonly out: string
  /** Replaces files of another tokenizer. Default false. */
  readonly force?: boolean
}

/** Saves the directory, and returns the names of its files with their sizes in bytes. */
export const exportTokenizer = ({
  force = false,
  out,
  tokenizer: { name, plugin, tokenizer }
}: ExportTokenizerOptions) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const { definitionFile, files } = tokenizer
    if (definitionFile === undefined) return yield* new TokenizerExportError({ tokenizer: name, plugin })
    yield* checkWritable(out)
    const others = yield* Effect.filter(Object.entries(files), ([file, content]) =>
      Effect.match(fs.readFileString(paths.join(out, file)), {
        onFailure: () => false,
        onSuccess: (present) => present !== content
      })
    )
    const replaced = others.map(([file]) => file)
    if (!force && replaced.length > 0) {
      return yield* new TokenizerExists({ path: out, changes: [], files: replaced })
    }
    const manifest = yield* TrainingManifest.read(out).pipe(
      Effect.catchAll(({ message }) => Effect.as(Effect.logWarning(message), undefined))
    )
    yield* writeFiles(out, files)
    if (manifest !== undefined && manifest.tokenizer?.sha256 !== TrainingManifest.sha256(files[definitionFile]!)) {
      const stale = paths.join(out, TrainingManifest.fileName)
      yield* Effect.mapError(fs.remove(stale), FileError.from(stale, "remove"))
    }
    return Object.entries(files).map(([file, content]) => ({ file, bytes: Buffer.byteLength(content) }))
  })
