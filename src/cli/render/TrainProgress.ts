/**
 * What a person sees of a training job while it runs: a progress line, and a log line for each thing that happened.
 *
 *     [#########-----------] 540/1200  loss 3.412  2.310 bits/byte  41.2 k tokens/s  1 min 12 s left
 *
 * Everything goes to stderr. The rate is that of the last updates, so a slow first one does not count for long. The time left
 * includes evaluations and checkpoints, because it is measured on the clock.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { RunEvent, Started, Step } from "../../core/training/TrainEvent.ts"
import type { OnEvent } from "../../jobs/RunComponents.ts"
import { errorText, type Output } from "../Stderr.ts"
import { bytes, count, duration, number, plural } from "./Format.ts"
import * as ProgressLine from "./ProgressLine.ts"

/**
 * Runs a training with its progress on stderr. After an interruption, prints the command that resumes, if there is a
 * checkpoint to resume from, or the error of the last checkpoint: that of an interrupted fiber is not printed elsewhere.
 * What the training opens stays open until the caller's scope closes, so that an evaluation need not read the text again.
 */
export const follow = <A, E, R>(
  train: (onEvent: OnEvent) => Effect.Effect<A, E, R>,
  options: { readonly resumeCommand?: (run: string) => string } = {}
): Effect.Effect<A, E, R | Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) => {
    let isSaved = false
    let run = ""
    const afterInterruption = (cause: Cause.Cause<E>): string | undefined => {
      if (Cause.isFailure(cause)) return `Interrupted. The run was not saved.\n${errorText(cause, { debug: false })}`
      if (options.resumeCommand === undefined) return undefined
      return isSaved
        ? `Interrupted. Resume with:\n  ${options.resumeCommand(run)}`
        : "Interrupted before the first checkpoint: there is nothing to resume."
    }
    return Effect.flatMap(make(process.stderr), (show) =>
      train((event) => {
        if (event._tag === "Prepared") run = event.run
        isSaved ||= event._tag === "CheckpointSaved" || (event._tag === "Started" && event.fromStep > 0)
        return show(event)
      }).pipe(Scope.extend(scope))
    ).pipe(
      Effect.scoped,
      Effect.onExit((exit) => {
        const text = Exit.isFailure(exit) && Cause.isInterrupted(exit.cause) ? afterInterruption(exit.cause) : undefined
        return text === undefined ? Effect.void : Console.error(text)
      })
    )
  })

interface Seen {
  started: { readonly at: number; readonly event: Started } | undefined
  step: Step | undefined
  /** Milliseconds of an update, smoothed. */
  stepMillis: number | undefined
  bitsPerByte: number | undefined
}

const stages = { tokenizer: "training the tokenizer", tokens: "tokenizing" }

/** Shows every event that it is called with. The progress line ends when the scope closes. */
export const make = (output: Output): Effect.Effect<OnEvent, never, Scope.Scope> =>
  Effect.gen(function* () {
    const line = yield* ProgressLine.make(output, { plainEvery: "5 seconds" })
    const seen: Seen = { started: undefined, step: undefined, stepMillis: undefined, bitsPerByte: undefined }
    const draw = Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const text = progressText(seen, now, output.columns)
      return text === "" ? Effect.void : line.update(text)
    })
    return (event) => show(event, seen, line, draw)
  })

const show = (
  event: RunEvent,
  seen: Seen,
  line: ProgressLine.ProgressLine,
  draw: Effect.Effect<void>
): Effect.Effect<void> => {
  switch (event._tag) {
    case "Preparing":
      return line.update(`${stages[event.stage]}: ${plural(event.documents, "document")}, ${bytes(event.bytes)}`)
    case "Prepared":
      return Effect.logInfo(
        `Text: ${plural(event.trainDocuments, "document")}, ${bytes(event.trainBytes)}, ${tokens(event.trainTokens)} to train on; ` +
          `${tokens(event.validationTokens)} held out. Vocabulary ${event.vocabularySize}, context ${event.contextLength}.` +
          (event.run === "" ? "" : `\nRun: ${event.run}`)
      )
    case "Started":
      return Effect.gen(function* () {
        seen.started = { at: yield* Clock.currentTimeMillis, event }
        const from = event.fromStep === 0 ? "" : `, resumed after step ${event.fromStep}`
        yield* Effect.logInfo(
          `Model: ${count(event.parameters)} parameters. ` +
            `${plural(event.totalSteps, "update")} of ${plural(event.tokensPerStep, "token")}${from}. ` +
            `Device: ${event.device}.`
        )
      })
    case "Step":
      seen.step = event
      seen.stepMillis =
        seen.stepMillis === undefined ? event.stepMillis : 0.9 * seen.stepMillis + 0.1 * event.stepMillis
      return draw
    case "Evaluated":
      seen.bitsPerByte = event.bitsPerByte
      return Effect.zipRight(
        Effect.logInfo(
          `step ${event.step}: ${event.split === "validation" ? "held-out loss" : "loss on training text"} ` +
            `${number(event.loss)} nats/token, ${number(event.bitsPerByte)} bits/byte` +
            (event.best ? ", the best so far" : `, ${plural(event.sinceBest, "evaluation")} since the best`)
        ),
        draw
      )
    case "CheckpointSaved":
      return Effect.logInfo(`step ${event.step}: saved ${event.path}`)
    case "StepEnded":
      return Effect.void
    case "Finished":
      return event.reason === "early_stop"
        ? Effect.logInfo(`step ${event.step}: stopped early, because the held-out loss no longer falls`)
        : Effect.void
  }
}

const progressText = (
  { bitsPerByte, started, step, stepMillis = 0 }: Seen,
  now: number,
  columns: number | undefined
): string => {
  if (started === undefined || step === undefined) return ""
  const { fromStep, tokensPerStep, totalSteps } = started.event
  const millisPerStep = (now - started.at) / (step.step - fromStep)
  const facts = [
    `${step.step}/${totalSteps}`,
    `loss ${number(step.loss)}`,
    bitsPerByte === undefined ? "" : `${number(bitsPerByte)} bits/byte`,
    stepMillis === 0 ? "" : `${count((1000 * tokensPerStep) / stepMillis)} tokens/s`,
    step.step === totalSteps ? "" : `${duration(millisPerStep * (totalSteps - step.step))} left`
  ]
    .filter((fact) => fact !== "")
    .join("  ")
  return `${ProgressLine.bar(step.step / totalSteps, barWidth(facts, columns))} ${facts}`
}

const tokens = (value: number): string => plural(value, "token", count(value))

/** The bar is the part that can shrink, so that the facts fit on a narrow terminal. */
const barWidth = (facts: string, columns: number | undefined): number =>
  Math.max(5, Math.min(20, (columns ?? Number.POSITIVE_INFINITY) - facts.length - "[] ".length - 1))
