/**
 * Options that the commands of tokenizers share: which tokenizer, and which texts.
 */
import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"

export const named = "A folder or file of a tokenizer, a run, or byte."

export const tokenizer = Options.text("tokenizer").pipe(Options.withDescription(named))

export const encoding = Options.text("encoding").pipe(
  Options.withDescription("The encoding of a file whose name does not say it: the key encoding of the plugin's config"),
  Options.optional
)

/** The options that are keys of the config of the tokenizer's plugin. */
export const pluginConfig = (options: { readonly encoding: Option.Option<string> }) => ({
  config: Option.match(options.encoding, { onNone: () => ({}), onSome: (encoding) => ({ encoding }) })
})

export const data = Options.text("data").pipe(
  Options.withDescription(
    "A file, a folder (its .txt files) or a pattern in quotes; may be repeated. NDJSON is read too."
  ),
  Options.repeated
)

export const field = Options.text("field").pipe(
  Options.withDescription(
    "The field of NDJSON files (.ndjson, .jsonl) that holds the text; of folders these are meant. Default: text"
  ),
  Options.optional
)

export const format = Options.choice("format", ["text", "json"]).pipe(
  Options.withDescription("json: one JSON document on the last line of stdout. Default: text"),
  Options.withDefault("text" as const)
)
