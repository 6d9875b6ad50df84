/**
 * What a person sees of a training job while it runs: a progress line, and a log line for each thing that happened.
 *
 *     [#########-----------] 540/1200  epoch 1.35  loss 3.412  lr 0.00062  grad 0.83  2.310 bits/byte  41.2 k tokens/s  1 min 12 s left
 *
 * Everything goes to stderr. The loss is the mean of the last 20 updates. `grad` is the norm of the gradient before clipping, and
 * bits/byte are those of the last evaluation. The rate is that of the last updates, so a slow first one does not count for long. The
 * time left includes evaluations and checkpoints, because it is measured on the clock. A narrow terminal gets fewer facts, and the
 * time left always.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Order from "effect/Order"
import * as Scope from "effect/Scope"
import type { Finished, RunEvent, Started, Step } from "../../core/training/TrainEvent.ts"
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
    let [run, step] = ["", 0]
    const afterInterruption = (cause: Cause.Cause<E>): string | undefined => {
      if (Cause.isFailure(cause)) return `Interrupted. The run was not saved.\n${errorText(cause, { debug: false })}`
      if (options.resumeCommand === undefined) return undefined
      return isSaved
        ? `Interrupted after ${plural(step, "update")}. Resume with:\n  ${options.resumeCommand(run)}`
        : "Interrupted before the first checkpoint: there is nothing to resume."
    }
    return Effect.flatMap(make(process.stderr), (show) =>
      train((event) => {
        if (event._tag === "Prepared") run = event.run
        if (event._tag === "Started") step = event.fromStep
        if (event._tag === "Step") step = event.step
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
  /** Losses of the last updates, at most `meanOf`. */
  losses: ReadonlyArray<number>
  /** Milliseconds of an update, smoothed. */
  stepMillis: number | undefined
  bitsPerByte: number | undefined
  finished: Finished["reason"] | undefined
}

/** Updates of which the loss is the mean. */
const meanOf = 20

const stages = { tokenizer: "training the tokenizer", tokens: "tokenizing" }

/** Shows every event that it is called with. The progress line ends when the scope closes. */
export const make = (output: Output): Effect.Effect<OnEvent, never, Scope.Scope> =>
  Effect.gen(function* () {
    const line = yield* ProgressLine.make(output, { plainEvery: "5 seconds" })
    const seen: Seen = {
      ...{ started: undefined, step: undefined, losses: [], stepMillis: undefined, bitsPerByte: undefined },
      finished: undefined
    }
    const draw = Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const text = progressText(seen, now, output.columns)
      if (text === "") return Effect.void
      return seen.finished === undefined ? line.update(text) : line.end(text)
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
            `Device: ${event.device}. The loss below is the mean of the last ${meanOf} updates.`
        )
      })
    case "Step":
      seen.step = event
      seen.losses = [...seen.losses, event.loss].slice(-meanOf)
      seen.stepMillis =
        seen.stepMillis === undefined ? event.stepMillis : 0.9 * seen.stepMillis + 0.1 * event.stepMillis
      // An evaluation of the last update may follow: `Finished` draws the line with its result.
      return event.step === seen.started?.event.totalSteps ? Effect.void : draw
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
      seen.finished = event.reason
      return event.reason === "early_stop"
        ? Effect.zipRight(
            Effect.logInfo(`step ${event.step}: stopped early, because the held-out loss no longer falls`),
            draw
          )
        : draw
  }
}

const endings = {
  completed: "completed",
  early_stop: "stopped early",
  stopped: "stopped by the program",
  interrupted: "interrupted"
}

/** A fact of the line. Where not all fit, those of the lowest rank are shown. */
interface Fact {
  readonly rank: number
  readonly text: string
}

const progressText = (
  { bitsPerByte, finished, losses, started, step, stepMillis = 0 }: Seen,
  now: number,
  columns = Number.POSITIVE_INFINITY
): string => {
  if (started === undefined || step === undefined) return ""
  const { fromStep, tokensPerStep, totalSteps } = started.event
  const millisPerStep = (now - started.at) / (step.step - fromStep)
  const left = `${duration(millisPerStep * (totalSteps - step.step))} left`
  const facts: ReadonlyArray<Fact> = [
    { rank: 1, text: `${step.step}/${totalSteps}` },
    { rank: 5, text: `epoch ${step.epoch.toFixed(2)}` },
    { rank: 2, text: `loss ${number(losses.reduce((sum, loss) => sum + loss, 0) / losses.length)}` },
    { rank: 3, text: `lr ${number(step.learningRate, 2)}` },
    { rank: 4, text: `grad ${number(step.gradientNorm, 2)}` },
    ...(bitsPerByte === undefined ? [] : [{ rank: 6, text: `${number(bitsPerByte)} bits/byte` }]),
    ...(stepMillis === 0 ? [] : [{ rank: 7, text: `${count((1000 * tokensPerStep) / stepMillis)} tokens/s` }]),
    // While the last update is evaluated and saved, no time is left.
    ...(finished === undefined && step.step === totalSteps
      ? []
      : [{ rank: 0, text: finished === undefined ? left : endings[finished] }])
  ]
  return lineOf(facts, step.step / totalSteps, columns - 1)
}

const shortestBar = 5

/** The bar, and the facts that fit into `room` beside one of the shortest length; the loss goes before the bar. */
const lineOf = (facts: ReadonlyArray<Fact>, share: number, room: number): string => {
  const beside = fitting(facts, room - shortestBar - "[] ".length)
  const text = textOf(beside.some(({ rank }) => rank === 2) ? beside : fitting(facts, room))
  const width = Math.min(20, room - text.length - "[] ".length)
  return width < shortestBar ? text : `${ProgressLine.bar(share, width)} ${text}`
}

/** The facts of the lowest ranks whose texts fit, in their own order. The first rank is always one of them. */
const fitting = (facts: ReadonlyArray<Fact>, room: number): ReadonlyArray<Fact> => {
  const chosen = new Set<Fact>()
  const inOrder = () => facts.filter((fact) => chosen.has(fact))
  for (const fact of Arr.sortWith(facts, ({ rank }) => rank, Order.number)) {
    chosen.add(fact)
    if (chosen.size > 1 && textOf(inOrder()).length > room) chosen.delete(fact)
  }
  return inOrder()
}

const textOf = (facts: ReadonlyArray<Fact>): string => facts.map(({ text }) => text).join("  ")

const tokens = (value: number): string => plural(value, "token", count(value))
