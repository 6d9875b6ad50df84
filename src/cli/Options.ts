/**
 * Options and arguments that several commands share, so that they have the same names and texts everywhere.
 */
import * as Args from "@effect/cli/Args"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

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

/** A whole number that is at least `least`. */
export const count = (name: string, least = 1) =>
  Options.integer(name).pipe(
    Options.filterMap(
      Option.liftPredicate((value) => value >= least),
      `Option "--${name}" must be a whole number, at least ${least}.`
    )
  )

/** A number between two bounds, which are included. */
export const between = (name: string, least: number, most: number) =>
  Options.float(name).pipe(
    Options.filterMap(
      Option.liftPredicate((value) => value >= least && value <= most),
      `Option "--${name}" must be a number ${Number.isFinite(most) ? `between ${least} and ${most}` : `that is at least ${least}`}.`
    )
  )
