/**
 * Writes a tokenizer as a Hugging Face folder.
 */
import * as Path from "@effect/platform/Path"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Layers from "../../jobs/Environment.ts"
import { exportTokenizer } from "../../jobs/tokenizers/exportTokenizer.ts"
import { openTokenizer } from "../../jobs/tokenizers/openTokenizer.ts"
import { ChangeJournal } from "../../services/logs/ChangeJournal.ts"
import { bytes } from "../render/Format.ts"
import { pluginConfig } from "../TokenizerOptions.ts"

export interface Options {
  readonly tokenizer: string
  readonly encoding: Option.Option<string>
  readonly out: string
  readonly force: boolean
}

export const run = (options: Options) =>
  Effect.gen(function* () {
    const paths = yield* Path.Path
    const tokenizer = yield* openTokenizer(options.tokenizer, pluginConfig(options))
    const files = yield* exportTokenizer({ tokenizer, out: options.out, force: options.force })
    yield* ChangeJournal.result(files.map(({ file }) => paths.join(options.out, file)).join(", "))
    yield* Console.log(
      files.map(({ bytes: size, file }) => `${paths.join(options.out, file)}: ${bytes(size)}`).join("\n")
    )
  }).pipe(Effect.scoped, Effect.provide([Layers.files(), Layers.registry()]))
