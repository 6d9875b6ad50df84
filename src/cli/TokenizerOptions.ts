/**
 * Options that the commands of tokenizers share, and the services that their handlers need.
 */
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { inSession, load } from "./Handler.ts"

/** Runs a handler in a session, with files and the registry of plugins, and releases what it opened. */
export const withRegistry = <Options, A, E, R>(run: (options: Options) => Effect.Effect<A, E, R>) =>
  inSession((options: Options) =>
    Effect.flatMap(
      load(() => import("../jobs/Environment.ts")),
      ({ Environment }) =>
        run(options).pipe(Effect.scoped, Effect.provide([Environment.files(), Environment.registry()]))
    )
  )

export const named = "Path of a tokenizer file, its directory or a run, or the name of a tokenizer plugin."

export const tokenizer = Options.text("tokenizer").pipe(Options.withDescription(named))

export const encoding = Options.text("encoding").pipe(
  Options.withDescription("The encoding of a file whose name does not say it, for plugins with this setting."),
  Options.optional
)

/** The options of the commands that are keys of the plugin's config. */
export const pluginConfig = (encoding: Option.Option<string>) => ({
  config: Option.match(encoding, { onNone: () => ({}), onSome: (value) => ({ encoding: value }) })
})

export const data = Options.text("data").pipe(
  Options.withDescription(
    "A file, a directory (its .txt files) or a quoted pattern. Can be repeated. Reads NDJSON too."
  ),
  Options.repeated
)

export const field = Options.text("field").pipe(
  Options.withDescription(
    "The field of NDJSON files that contains the text. With it, the NDJSON files of directories are read. Default: text"
  ),
  Options.optional
)

export const format = Options.choice("format", ["text", "json"]).pipe(
  Options.withDescription("json: one JSON document on the last line of stdout. Default: text"),
  Options.withDefault("text" as const)
)
