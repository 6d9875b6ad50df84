/**
 * Options and arguments that several commands share, so that they look and read the same everywhere.
 */
import * as Args from "@effect/cli/Args"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"

/** `--json`: one JSON document on the last line of stdout. */
export const json = Options.boolean("json").pipe(
  Options.withDescription("Print one JSON document on the last line of stdout.")
)

/**
 * `key=value …`, `+key=value`, `~key`: overrides of a config. The parser takes any word here, also an option that is
 * mistyped; such a word is refused, or `--resum` would become an override.
 */
export const overrides = Args.text({ name: "key=value" }).pipe(
  Args.withDescription("Override the config: training.epochs=2 model=tiny +new.key=1 ~unwanted.key"),
  Args.repeated,
  Args.mapEffect((words) =>
    Arr.findFirst(words, (word) => word.startsWith("-")).pipe(
      Effect.matchEffect({
        onSuccess: (word) => Effect.fail(HelpDoc.p(`Received unknown argument: '${word}'`)),
        onFailure: () => Effect.succeed(words)
      })
    )
  )
)
