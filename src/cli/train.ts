/**
 * codex train [--config configs/training/base.yaml] [--resume] [--run runs/<id>] [--from runs/<id>] [--seed 7] [key=value …]
 *
 *     $ codex train --config configs/training/base.yaml model=tiny training.epochs=1
 *     Completed 62 updates, 254 k tokens; last loss 4.871 nats/token.
 *     Best held-out loss: 4.912 nats/token at step 62.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Seed } from "../core/Numbers.ts"
import type { Run } from "../jobs/Run.ts"
import type { OnEvent } from "../jobs/RunComponents.ts"
import type { SavedRun } from "../jobs/SavedRun.ts"
import { inPreparedSession, load, recordResult } from "./Handler.ts"
import { json, number, overrides } from "./Options.ts"
import { dryRunJson, dryRunReport, trainingJson, trainingReport, trainingSummary } from "./render/RunReport.ts"
import { shellWord } from "./render/Table.ts"
import * as TrainProgress from "./render/TrainProgress.ts"
import * as TrainedRun from "./TrainedRun.ts"

const config = Options.text("config").pipe(
  Options.withDescription("The config, or a file of one of its groups. Default: configs/config.yaml"),
  Options.withPseudoName("file"),
  Options.optional
)
const resume = Options.boolean("resume").pipe(
  Options.withDescription("Resume the newest run that has this config, from its last checkpoint.")
)
const run = Options.text("run").pipe(
  Options.withDescription(
    "The run to resume, by directory or id; implies --resume. Overrides change its own config: " +
      "training.max_steps=400 extends it, also after it has finished."
  ),
  Options.withPseudoName("directory"),
  Options.optional
)
const dataChanged = Options.choice("data-changed", ["continue"]).pipe(
  Options.withDescription("Resume although the data of the run has changed, and record the change. Default: refuse"),
  Options.optional
)
const from = Options.text("from").pipe(
  Options.withDescription(
    "Start a new run from the weights of a run (its best checkpoint) or of a checkpoint, with a new optimizer. " +
      "Without --config it has the config of that run."
  ),
  Options.withPseudoName("directory"),
  Options.optional
)
const seed = number("seed", Seed).pipe(Options.withDescription("The same as training.seed=…"), Options.optional)

export const train = Command.make(
  "train",
  { config, resume, run, dataChanged, from, seed, json, overrides },
  inPreparedSession(
    ({ run, ...options }) =>
      Effect.gen(function* () {
        if (Option.isSome(run)) return yield* composeNamed(run.value, options)
        if (Option.isNone(options.from)) return { ...(yield* compose(options)), saved: undefined }
        const parent = yield* TrainedRun.find({ run: options.from.value })
        return { ...(yield* compose(options, parent.saved)), saved: undefined }
      }),
    ({ composed, saved }, { dataChanged: changed, json, ...options }) =>
      Effect.gen(function* () {
        const report = json ? reportJson : reportText
        const Run = yield* load(() => import("../jobs/Run.ts"))
        const dataChanged = Option.getOrUndefined(changed)
        if (composed === undefined) {
          return yield* trainAnd(report, (onEvent) => Run.resume(saved.run.directory, { dataChanged, onEvent }))
        }
        const plan = yield* Run.plan(composed)
        if (plan.dryRun) {
          const dryRun = yield* TrainProgress.follow((onEvent) => Run.dryRun(plan, { onEvent }))
          const measured = { memory: 1024 * process.resourceUsage().maxRSS }
          return yield* Console.log((json ? dryRunJson : dryRunReport)(dryRun, measured))
        }
        yield* saved === undefined
          ? trainAnd(report, (onEvent) => Run.trainPlan(plan, { resume: options.resume, dataChanged, onEvent }))
          : trainAnd(report, (onEvent) => Run.resume(saved.run.directory, { expected: plan, dataChanged, onEvent }))
      })
  )
).pipe(
  Command.withDescription(
    "Train a model as a config describes. +dry_run=true checks the whole config and estimates time and memory. " +
      "Example: codex train --config configs/training/base.yaml --seed 7 model=tiny training.epochs=1 " +
      "Example: codex train --run runs/<id> training.max_steps=400 " +
      "Example: codex train --from runs/<id> training.lr=1e-4"
  ),
  Command.provide(() => TrainedRun.environment({ device: Option.none() }))
)

interface Settings {
  readonly config: Option.Option<string>
  readonly from: Option.Option<string>
  readonly seed: Option.Option<number>
  readonly overrides: ReadonlyArray<string>
}

const changes = ({ overrides, seed }: Settings) => [
  ...overrides,
  ...Option.match(seed, { onNone: () => [], onSome: (value) => [`training.seed=${value}`] })
]

/** A new run. One that starts from the weights of another run has its config too, unless a file is given. */
const compose = (settings: Settings, parent?: SavedRun) =>
  Effect.gen(function* () {
    const [Run, RunPlan] = yield* load(() => Promise.all([import("../jobs/Run.ts"), import("../jobs/RunPlan.ts")]))
    const file = Option.isSome(settings.config)
      ? settings.config.value
      : (parent?.run.configFile ?? (yield* RunPlan.defaultFile("config")))
    const from = Option.match(settings.from, { onNone: () => ({}), onSome: (from) => ({ from }) })
    const composed = yield* Run.compose({ config: file, overrides: changes(settings), ...from })
    return { composed, logging: RunPlan.loggingOf(composed) }
  })

/** A run that is named has its own config, with the changes that the line gives, unless the line gives another file. */
const composeNamed = (run: string, settings: Settings) =>
  Effect.gen(function* () {
    const found = yield* TrainedRun.find({ run })
    if (Option.isSome(settings.config)) return { ...found, composed: (yield* compose(settings)).composed }
    const overrides = changes(settings)
    if (overrides.length === 0 && Option.isNone(settings.from)) return { ...found, composed: undefined }
    const [Run, RunPlan] = yield* load(() => Promise.all([import("../jobs/Run.ts"), import("../jobs/RunPlan.ts")]))
    const from = Option.match(settings.from, { onNone: () => ({}), onSome: (from) => ({ from }) })
    const composed = yield* Run.composeSaved(found.saved, overrides, from)
    return { ...found, composed, logging: RunPlan.loggingOf(composed) }
  })

/** A run has its config, so its name is enough. */
const resumeCommand = (run: string): string => `codex train --run ${shellWord(run)} --resume`

const reportText = (run: Run): Effect.Effect<string> =>
  Effect.map(run.examplePrompt, (prompt) => trainingReport(run, prompt))

const reportJson = (run: Run): Effect.Effect<string> => Effect.succeed(trainingJson(run))

const trainAnd = <E, R>(
  report: (run: Run) => Effect.Effect<string>,
  train: (onEvent: OnEvent) => Effect.Effect<Run, E, R>
) =>
  Effect.gen(function* () {
    const run = yield* TrainProgress.follow(train, { resumeCommand })
    yield* recordResult(trainingSummary(run.state))
    yield* Console.log(yield* report(run))
  })
