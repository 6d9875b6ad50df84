/**
 * codex tokenizer inspect --tokenizer artifacts/tokenizers/notes [--text "…"] [--data file] [--format json]
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { load } from "../Handler.ts"
import { colour } from "../Process.ts"
import { data, encoding, field, format, pluginConfig, tokenizer, withRegistry } from "../TokenizerOptions.ts"

const text = Options.text("text").pipe(
  Options.withDescription("A text to split into tokens and to measure. Default: a sentence in several scripts"),
  Options.optional
)

/** The text that is split by default. */
const sentence =
  "The quick brown fox jumped 12 times: naïve façade, 東京で 1234.5 €! \u{1F44D}\u{1F3FD}\n\tdef f(x): return x"

export const inspect = Command.make(
  "inspect",
  { tokenizer, encoding, text, data, field, format },
  withRegistry(({ data, encoding, field, format, text, tokenizer }) =>
    Effect.gen(function* () {
      const [{ inspectTokenizer }, { openTokenizer }, TextSource, { inspectionJson, inspectionText }] = yield* load(
        () =>
          Promise.all([
            import("../../jobs/tokenizers/inspectTokenizer.ts"),
            import("../../jobs/tokenizers/openTokenizer.ts"),
            import("../../jobs/tokenizers/TextSource.ts"),
            import("../render/TokenizerReport.ts")
          ])
      )
      const opened = yield* openTokenizer(tokenizer, pluginConfig(encoding))
      const measured = Option.isSome(text) || data.length > 0
      const texts = yield* TextSource.open({
        texts: Option.toArray(text),
        paths: data,
        field: Option.getOrUndefined(field)
      })
      const sample = Option.getOrElse(text, () => sentence)
      const inspection = yield* inspectTokenizer(opened, {
        sample,
        documents: measured ? texts.documents : undefined
      })
      yield* Console.log(
        format === "json"
          ? JSON.stringify(inspectionJson(inspection, sample))
          : inspectionText(inspection, sample.toWellFormed(), { colour: colour(process) })
      )
    })
  )
).pipe(
  Command.withDescription(
    "Show the components of a tokenizer, and how it tokenizes a text. " +
      'Example: codex tokenizer inspect --tokenizer artifacts/tokenizers/notes --text "Call me Ishmael."'
  )
)
