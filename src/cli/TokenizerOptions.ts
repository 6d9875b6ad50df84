/**
 * Options that the commands of tokenizers share: which tokenizer, and which texts.
 */
import * as Options from "@effect/cli/Options"

export const named = "A folder or file of a tokenizer, a run, or byte."

export const tokenizer = Options.text("tokenizer").pipe(Options.withDescription(named))

export const encoding = Options.text("encoding").pipe(
  Options.withDescription("The encoding of a .tiktoken file whose name does not say it: cl100k_base, …"),
  Options.optional
)

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
