/**
 * Options and arguments that several commands share, so that they have the same names and texts everywhere.
 */
import * as Args from "@effect/cli/Args"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe } from "../core/config/ConfigIssue.ts"
import { Count } from "../core/Numbers.ts"

/** `--json`: one JSON document on the last line of stdout. */
export const json = Options.boolean("json").pipe(
  Options.withDescription("Print one JSON document on the last line of stdout.")
)

/**
 * `key=value …`, `+key=value`, `~key`: overrides of a config. The parser accepts any word here, even a mistyped option. Words
 * that start with - are refused, or `--resum` would become an override.
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

/** `--force`: replaces existing files. */
export const force = (description: string) => Options.boolean("force").pipe(Options.withDescription(description))

/** A number in the range of a schema (core/Numbers.ts), which the message of a refusal states. */
export const number = (name: string, schema: Schema.Schema<number>) =>
  Options.float(name).pipe(
    Options.filterMap(Schema.validateOption(schema), `Option "--${name}" must be ${describe(schema.ast)}.`),
    Options.withPseudoName(describe(schema.ast).startsWith("an integer") ? "integer" : "number")
  )

/** How many of something, at least one. */
export const count = (name: string) => number(name, Count)
