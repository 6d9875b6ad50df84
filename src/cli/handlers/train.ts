/**
 * Trains, or goes on with a run, or tries a config without a run, and says where things are.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as DryRun from "../../jobs/dryRun.ts"
import * as Layers from "../../jobs/Environment.ts"
import * as Resumable from "../../jobs/Resumable.ts"
import * as LoadConfig from "../../jobs/RunPlan.ts"
import * as TrainJob from "../../jobs/TrainingRun.ts"
import { ChangeJournal } from "../../services/logs/ChangeJournal.ts"
import { count, number } from "../render/Format.ts"
import { dryRunReport } from "../render/RunReport.ts"
import { facts, nextCommands, shellWord } from "../render/Table.ts"
import * as TrainProgress from "../render/TrainProgress.ts"
import * as Session from "./session.ts"

export interface Options {
  readonly config: Option.Option<string>
  readonly resume: boolean
  readonly run: Option.Option<string>
  readonly seed: Option.Option<number>
  readonly overrides: ReadonlyArray<string>
}

export const run = (options: Options) =>
  Effect.gen(function* () {
    const { config, dryRun, run, text } = yield* plan(options)
    if (dryRun) return yield* tryOut(config)
    const again = run === undefined ? againOf(options) : `codex train --run ${shellWord(run.directory)} --resume`
    const trained = yield* Effect.scoped(
      Effect.gen(function* () {
        const onEvent = yield* TrainProgress.make(process.stderr)
        return yield* TrainJob.train({ config, configText: text, resume: run, onEvent })
      })
    ).pipe(
      Effect.onInterrupt(() => Console.error(`Interrupted. Go on with:\n  ${again}`)),
      Effect.scoped,
      Effect.provide(Session.layerOf(config))
    )
    yield* ChangeJournal.result(summary(trained))
    yield* Console.log(describe(trained))
  })

export const logging = (options: Options) =>
  Option.isSome(options.run)
    ? Session.savedLogging(options.run.value)
    : Session.logging(Effect.provide(composeAsked(options), Layers.files()))

/** What is asked for: a config, and the run to go on with. */
const plan = (options: Options) =>
  Effect.gen(function* () {
    if (Option.isNone(options.run)) {
      const loaded = yield* loadAsked(options)
      return { ...loaded, run: options.resume ? yield* Resumable.newest(loaded.config) : undefined }
    }
    // A run that is named goes on as it was, unless the line says what config it should have.
    const says = Option.isSome(options.config) || Option.isSome(options.seed) || options.overrides.length > 0
    const asked = says ? yield* loadAsked(options) : undefined
    const { config, run } = yield* Resumable.named(options.run.value, asked?.config)
    return { config, text: LoadConfig.textOf(config), dryRun: asked?.dryRun ?? false, run }
  }).pipe(Effect.provide(Layers.files()))

const loadAsked = (options: Options) => Effect.flatMap(composeAsked(options), Session.load)

const composeAsked = (options: Options) =>
  Effect.gen(function* () {
    const file = yield* Option.match(options.config, {
      onSome: Effect.succeed,
      onNone: () => LoadConfig.defaultFile("config")
    })
    const seed = Option.match(options.seed, { onNone: () => [], onSome: (value) => [`training.seed=${value}`] })
    return yield* LoadConfig.compose(file, [...options.overrides, ...seed])
  })

/** The command that goes on with what this one started. */
const againOf = (options: Options): string =>
  [
    "codex train",
    ...Option.match(options.config, { onNone: () => [], onSome: (file) => [`--config ${shellWord(file)}`] }),
    ...Option.match(options.seed, { onNone: () => [], onSome: (value) => [`--seed ${value}`] }),
    "--resume",
    ...options.overrides.map(shellWord)
  ].join(" ")

const tryOut = (config: LoadConfig.Loaded["config"]) =>
  Effect.gen(function* () {
    const found = yield* Effect.scoped(
      Effect.flatMap(TrainProgress.make(process.stderr), (onEvent) => DryRun.dryRun(config, onEvent))
    ).pipe(Effect.provide(Session.layerOf(config)))
    const { maxRSS } = process.resourceUsage()
    yield* Console.log(dryRunReport(found, { memory: 1024 * maxRSS }))
  })

type Trained = Effect.Effect.Success<ReturnType<typeof TrainJob.train>>

const summary = ({ state }: Trained): string =>
  `${state.finished === null ? "Stopped after" : "Trained"} ${state.step} updates, ${count(state.tokens)} tokens; last loss ${number(state.loss)} nats/token.` +
  (state.best === null ? "" : ` Best on held-out text: ${number(state.best.loss)} at step ${state.best.step}.`)

export const describe = (trained: Trained): string => {
  const { checkpoint, run } = trained
  return [
    summary(trained),
    "",
    facts([
      ["Run", run.directory],
      ["Checkpoint", checkpoint ?? "none"],
      ["Config", run.configFile]
    ]),
    "",
    nextCommands([
      `codex evaluate --run ${shellWord(run.directory)}`,
      `codex generate --run ${shellWord(run.directory)} --prompt "Call me"`
    ])
  ].join("\n")
}
