/**
 * What a person sees of a job while it works: one line that moves, and lines of their own for what happened.
 *
 *     [#########-----------] 540/1200  loss 3.412  2.310 bits/byte  41.2 k tokens/s  1 min 12 s left
 *
 * Everything goes to stderr. Rates are of the last updates, so that a first slow one does not linger; the time left counts
 * evaluations and checkpoints in, because it is measured on the clock.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { JobEvent, OnEvent } from "../../jobs/JobEvent.ts"
import type { Output } from "../Stderr.ts"
import { bytes, count, duration, number } from "./Format.ts"
import * as ProgressLine from "./ProgressLine.ts"

interface Seen {
  fromStep: number
  totalSteps: number
  tokensPerStep: number
  startedAt: number
  /** Milliseconds of an update, smoothed; 0 before the first. */
  stepMillis: number
  bitsPerByte: number | undefined
}

const stages = { tokenizer: "training the tokenizer", tokens: "tokenising" }

/** Shows every event that it is told of. The line ends when the scope closes. */
export const make = (output: Output): Effect.Effect<OnEvent, never, Scope.Scope> =>
  Effect.gen(function* () {
    const line = yield* ProgressLine.make(output, { plainEvery: "5 seconds" })
    const seen: Seen = {
      fromStep: 0,
      totalSteps: 0,
      tokensPerStep: 0,
      startedAt: 0,
      stepMillis: 0,
      bitsPerByte: undefined
    }
    return (event) => show(event, seen, line)
  })

const show = (event: JobEvent, seen: Seen, line: ProgressLine.ProgressLine): Effect.Effect<void> => {
  switch (event._tag) {
    case "Preparing":
      return line.update(`${stages[event.stage]}: ${documents(event.documents)}, ${bytes(event.bytes)}`)
    case "Prepared":
      return Effect.logInfo(
        `Text: ${documents(event.trainDocuments)}, ${bytes(event.trainBytes)}, ${count(event.trainTokens)} tokens to train on; ` +
          `${count(event.validationTokens)} tokens held out. Vocabulary ${event.vocabularySize}, context ${event.contextLength}.` +
          (event.run === "" ? "" : `\nRun: ${event.run}`)
      )
    case "Started":
      return Effect.gen(function* () {
        seen.fromStep = event.fromStep
        seen.totalSteps = event.totalSteps
        seen.tokensPerStep = event.tokensPerStep
        seen.startedAt = yield* Clock.currentTimeMillis
        const from = event.fromStep === 0 ? "" : `, going on after step ${event.fromStep}`
        yield* Effect.logInfo(
          `Model: ${count(event.parameters)} parameters. ${event.totalSteps} updates of ${event.tokensPerStep} tokens${from}. ` +
            `Device: ${event.device}.`
        )
      })
    case "Step":
      return Effect.gen(function* () {
        seen.stepMillis = seen.stepMillis === 0 ? event.stepMillis : 0.9 * seen.stepMillis + 0.1 * event.stepMillis
        const done = event.step - seen.fromStep
        const elapsed = (yield* Clock.currentTimeMillis) - seen.startedAt
        const left = (elapsed / done) * (seen.totalSteps - event.step)
        const rate = seen.stepMillis === 0 ? "" : `${count((1000 * seen.tokensPerStep) / seen.stepMillis)} tokens/s`
        yield* line.update(
          [
            `${ProgressLine.bar(event.step / seen.totalSteps)} ${event.step}/${seen.totalSteps}`,
            `loss ${number(event.loss)}`,
            seen.bitsPerByte === undefined ? "" : `${number(seen.bitsPerByte)} bits/byte`,
            rate,
            `${duration(left)} left`
          ]
            .filter((part) => part !== "")
            .join("  ")
        )
      })
    case "Evaluated":
      seen.bitsPerByte = event.bitsPerByte
      return Effect.logInfo(
        `step ${event.step}: held out ${number(event.loss)} nats/token, ${number(event.bitsPerByte)} bits/byte` +
          (event.best ? ", the best so far" : `, ${event.sinceBest} evaluations since the best`)
      )
    case "CheckpointSaved":
      return Effect.logInfo(`step ${event.step}: saved ${event.path}`)
    case "StepEnded":
      return Effect.void
    case "Finished":
      return event.reason === "early_stop"
        ? Effect.logInfo(`step ${event.step}: stopped early, the held-out loss no longer falls`)
        : Effect.void
  }
}

const documents = (n: number): string => `${n} document${n === 1 ? "" : "s"}`
