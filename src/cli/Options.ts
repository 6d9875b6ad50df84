/**
 * Options and arguments that several commands share, so that they look and read the same everywhere.
 */
import * as Args from "@effect/cli/Args"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Which } from "../jobs/SavedRun.ts"

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

/** Replacing what is there must be said: `--force`. */
export const force = (description: string) => Options.boolean("force").pipe(Options.withDescription(description))

export const run = Options.text("run").pipe(
  Options.withDescription("A run's directory or id, or one of its checkpoints: runs/<id>")
)

export const checkpoint = Options.text("checkpoint").pipe(
  Options.withDescription("Which checkpoint: best (on the held-out text), last, or a step. Default: best"),
  Options.withDefault("best"),
  Options.mapEffect((text): Effect.Effect<Which, ValidationError.ValidationError> => {
    if (text === "best" || text === "last") return Effect.succeed(text)
    return /^\d+$/.test(text)
      ? Effect.succeed(Number(text))
      : Effect.fail(
          ValidationError.invalidValue(
            HelpDoc.p(`Option "--checkpoint" must be best, last or a step, not ${JSON.stringify(text)}.`)
          )
        )
  })
)

export const device = Options.choice("device", ["auto", "cpu", "webgpu", "cuda", "coreml", "dml"]).pipe(
  Options.withDescription("Where to compute. Default: as in the run's config"),
  Options.optional
)

/** A whole number from `least` on. */
export const count = (name: string, least = 1) =>
  Options.integer(name).pipe(
    Options.filterMap(
      Option.liftPredicate((value) => value >= least),
      `Option "--${name}" must be a whole number from ${least} on.`
    )
  )

/** A number between two bounds, both allowed. */
export const between = (name: string, least: number, most: number) =>
  Options.float(name).pipe(
    Options.filterMap(
      Option.liftPredicate((value) => value >= least && value <= most),
      `Option "--${name}" must be a number ${Number.isFinite(most) ? `between ${least} and ${most}` : `from ${least} on`}.`
    )
  )
