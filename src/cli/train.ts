/**
 * codex train [--config configs/training/base.yaml] [--resume] [--run runs/<id>] [--seed 7] [key=value …]
 *
 *     $ codex train --config configs/training/base.yaml model=tiny training.epochs=1
 *     Trained 62 updates, 254 k tokens; last loss 4.871 nats/token.
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
import { number, overrides } from "./Options.ts"
import { dryRunReport, trainingReport, trainingSummary } from "./render/RunReport.ts"
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
  Options.withDescription("The run to resume, by directory or id; implies --resume."),
  Options.withPseudoName("directory"),
  Options.optional
)
const seed = number("seed", Seed).pipe(Options.withDescription("The same as training.seed=…"), Options.optional)

export const train = Command.make(
  "train",
  { config, resume, run, seed, overrides },
  inPreparedSession(
    ({ run, ...options }) =>
      Effect.gen(function* () {
        if (Option.isNone(run)) return { ...(yield* compose(options)), saved: undefined }
        const found = yield* TrainedRun.find({ run: run.value })
        // A run that is named is resumed with its own config, unless the line gives one, which must be the same.
        const given = Option.isSome(options.config) || Option.isSome(options.seed) || options.overrides.length > 0
        if (!given) return { ...found, composed: undefined }
        return { ...found, composed: (yield* compose(options)).composed }
      }),
    ({ composed, saved }, options) =>
      Effect.gen(function* () {
        const Run = yield* load(() => import("../jobs/Run.ts"))
        if (composed === undefined)
          return yield* trainAndReport(named(saved), (onEvent) => Run.resume(saved.run.directory, { onEvent }))
        const plan = yield* Run.plan(composed)
        if (plan.dryRun) {
          const dryRun = yield* TrainProgress.follow((onEvent) => Run.dryRun(plan, { onEvent }))
          return yield* Console.log(dryRunReport(dryRun, { memory: 1024 * process.resourceUsage().maxRSS }))
        }
        yield* saved === undefined
          ? trainAndReport(same(options), (onEvent) => Run.trainPlan(plan, { resume: options.resume, onEvent }))
          : trainAndReport(named(saved), (onEvent) => Run.resume(saved.run.directory, { expected: plan, onEvent }))
      })
  )
).pipe(
  Command.withDescription(
    "Train a model as a config describes. +dry_run=true checks the whole config and estimates time and memory. " +
      "Example: codex train --config configs/training/base.yaml --seed 7 model=tiny training.epochs=1"
  ),
  Command.provide(() => TrainedRun.environment({ device: Option.none() }))
)

interface Settings {
  readonly config: Option.Option<string>
  readonly seed: Option.Option<number>
  readonly overrides: ReadonlyArray<string>
}

const compose = ({ config, overrides, seed }: Settings) =>
  Effect.gen(function* () {
    const [Run, RunPlan] = yield* load(() => Promise.all([import("../jobs/Run.ts"), import("../jobs/RunPlan.ts")]))
    const file = Option.isSome(config) ? config.value : yield* RunPlan.defaultFile("config")
    const seeds = Option.match(seed, { onNone: () => [], onSome: (value) => [`training.seed=${value}`] })
    const composed = yield* Run.compose({ config: file, overrides: [...overrides, ...seeds] })
    return { composed, logging: RunPlan.loggingOf(composed) }
  })

/** The command that resumes the run that this one started. */
const same = ({ config, overrides, seed }: Settings): string =>
  [
    "codex train",
    ...Option.match(config, { onNone: () => [], onSome: (file) => [`--config ${shellWord(file)}`] }),
    ...Option.match(seed, { onNone: () => [], onSome: (value) => [`--seed ${value}`] }),
    "--resume",
    ...overrides.map(shellWord)
  ].join(" ")

const named = ({ run }: SavedRun): string => `codex train --run ${shellWord(run.directory)} --resume`

const trainAndReport = <E, R>(resumeCommand: string, train: (onEvent: OnEvent) => Effect.Effect<Run, E, R>) =>
  Effect.gen(function* () {
    const run = yield* TrainProgress.follow(train, { resumeCommand })
    yield* recordResult(trainingSummary(run.state))
    yield* Console.log(trainingReport(run))
  })
