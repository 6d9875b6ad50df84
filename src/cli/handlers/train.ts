/**
 * Trains, or resumes a run, or tries a config without a run, and says where things are.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Training from "../../core/training/Training.ts"
import * as Run from "../../jobs/Run.ts"
import * as RunPlan from "../../jobs/RunPlan.ts"
import { ChangeJournal } from "../../services/logs/ChangeJournal.ts"
import { count, number, plural } from "../render/Format.ts"
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
    // A run that is named resumes with its own config, unless the line says what config it should have.
    const says = Option.isSome(options.config) || Option.isSome(options.seed) || options.overrides.length > 0
    const named = Option.getOrUndefined(options.run)
    const plan = named === undefined || says ? yield* Effect.flatMap(composeAsked(options), Run.plan) : undefined
    if (plan?.dryRun) return yield* tryOut(plan)
    const trained = yield* Effect.scoped(
      Effect.gen(function* () {
        const onEvent = yield* TrainProgress.make(process.stderr)
        if (named !== undefined) return yield* Run.resume(named, { expected: plan, onEvent })
        return plan === undefined
          ? yield* Effect.never
          : yield* Run.trainPlan(plan, { resume: options.resume, onEvent })
      })
    ).pipe(
      Training.onInterrupt({
        saved: Console.error(`Interrupted. Resume with:\n  ${againOf(options)}`),
        failed: ({ message }) => Console.error(message)
      })
    )
    yield* ChangeJournal.result(summary(trained))
    yield* Console.log(describe(trained))
  }).pipe(Effect.scoped, Effect.provide(Run.layer()))

export const logging = (options: Options) =>
  Option.isSome(options.run)
    ? Session.savedLogging(options.run.value)
    : Session.logging(Effect.provide(composeAsked(options), Run.layer()))

const composeAsked = (options: Options) =>
  Effect.gen(function* () {
    const config = yield* Option.match(options.config, {
      onSome: Effect.succeed,
      onNone: () => RunPlan.defaultFile("config")
    })
    const seed = Option.match(options.seed, { onNone: () => [], onSome: (value) => [`training.seed=${value}`] })
    return yield* Run.compose({ config, overrides: [...options.overrides, ...seed] })
  })

/** The command that resumes what this one started. */
const againOf = (options: Options): string =>
  Option.isSome(options.run)
    ? `codex train --run ${shellWord(options.run.value)} --resume`
    : [
        "codex train",
        ...Option.match(options.config, { onNone: () => [], onSome: (file) => [`--config ${shellWord(file)}`] }),
        ...Option.match(options.seed, { onNone: () => [], onSome: (value) => [`--seed ${value}`] }),
        "--resume",
        ...options.overrides.map(shellWord)
      ].join(" ")

const tryOut = (plan: RunPlan.RunPlan) =>
  Effect.gen(function* () {
    const found = yield* Effect.scoped(
      Effect.flatMap(TrainProgress.make(process.stderr), (onEvent) => Run.dryRun(plan, { onEvent }))
    )
    const { maxRSS } = process.resourceUsage()
    yield* Console.log(dryRunReport(found, { memory: 1024 * maxRSS }))
  })

const summary = ({ state }: Run.Run): string =>
  `${state.finished === null ? "Stopped after" : "Trained"} ${plural(state.step, "update")}, ${count(state.tokens)} tokens; last loss ${number(state.loss)} nats/token.` +
  (state.best === null ? "" : ` Best on held-out text: ${number(state.best.loss)} at step ${state.best.step}.`)

export const describe = (trained: Run.Run): string =>
  [
    summary(trained),
    "",
    facts([
      ["Run", trained.directory],
      ["Checkpoint", trained.checkpoint],
      ["Config", trained.configFile]
    ]),
    "",
    nextCommands([
      `codex evaluate --run ${shellWord(trained.directory)}`,
      `codex generate --run ${shellWord(trained.directory)} --prompt "Call me"`
    ])
  ].join("\n")
