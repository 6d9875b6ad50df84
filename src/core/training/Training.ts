/**
 * Training is a stream of events; each feature is a combinator over that stream.
 *
 *     Training.steps().pipe(
 *       Training.evaluateEvery({ steps: 100 }),
 *       Training.earlyStop({ patience: 3 }),
 *       Training.checkpointEvery({ steps: 100, directory, keepLast: 2 }),
 *       Training.track(trackerSession)
 *     )                                          // Stream<TrainEvent, …, TrainingSession | CheckpointStore>
 *
 * The stream is pulled: the next update runs when all combinators have handled the event before it, so a combinator may
 * use the session (evaluate, snapshot) without a lock. The order of combinators matters: an evaluation is part of the
 * checkpoint of its step only if `evaluateEvery` comes before `checkpointEvery`.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { ConfigError } from "../config/ConfigIssue.ts"
import * as Numbers from "../Numbers.ts"
import type { Tracker, TrackerError } from "../Tracker.ts"
import { type CheckpointError, CheckpointStore, removable, TrainState } from "./Checkpoint.ts"
import type { TrainError } from "./TrainError.ts"
import { CheckpointSaved, Finished, StepEnded, type TrainEvent } from "./TrainEvent.ts"
import { TrainingSession } from "./TrainingSession.ts"

export type { TrainError } from "./TrainError.ts"
export {
  CheckpointSaved,
  Evaluated,
  Finished,
  Prepared,
  Preparing,
  RunEvent,
  Started,
  Step,
  StepEnded,
  TrainEvent
} from "./TrainEvent.ts"

/**
 * A feature of training: a function from the stream of events to another one. It may add events, act on them, or end the
 * stream with `Finished`, for which the last checkpoint is written; the session is in the context.
 */
export type Combinator = <E, R>(
  events: Stream.Stream<TrainEvent, E, R>
) => Stream.Stream<TrainEvent, E, R | TrainingSession>

/** The updates of a session, from its current step to its last one, or until `stop` is true between two of them. */
export const steps = (options: { readonly stop?: Effect.Effect<boolean> } = {}) =>
  Stream.unwrap(
    Effect.gen(function* () {
      const session = yield* TrainingSession
      const { totalSteps } = session.started
      const finish = (reason: "completed" | "interrupted") =>
        Ref.updateAndGet(session.state, (state) =>
          reason === "interrupted" ? state : new TrainState({ ...state, finished: reason })
        ).pipe(Effect.map((state) => new Finished({ step: state.step, reason })))
      // The event after a given one: an update, its end, the next update, and so on.
      const next = (last: TrainEvent): Effect.Effect<Option.Option<readonly [TrainEvent, TrainEvent]>, TrainError> =>
        Effect.gen(function* () {
          if (last._tag === "Finished") return Option.none()
          const { step } = yield* Ref.get(session.state)
          let event: TrainEvent
          if (step >= totalSteps) event = yield* finish("completed")
          else if (last._tag === "Step") {
            event = (yield* stopped) ? yield* finish("interrupted") : new StepEnded({ step })
          } else event = yield* session.step
          return Option.some([event, event])
        })
      const stopped = options.stop ?? Effect.succeed(false)
      const { started } = session
      return Stream.concat(
        Stream.succeed<TrainEvent>(started),
        Stream.unfoldEffect<TrainEvent, TrainEvent, TrainError, never>(started, next)
      )
    })
  )

/** What `build` makes, unless an option of this combinator is out of range. */
const inRange = <A, I, E, R>(
  combinator: string,
  schema: Schema.Schema<A, I>,
  options: I,
  build: (options: A) => Stream.Stream<TrainEvent, E, R>
): Stream.Stream<TrainEvent, E | ConfigError, R> =>
  Stream.unwrap(Effect.map(Numbers.decodeOptions(`Training.${combinator}`, schema, options), build))

/**
 * Adds `Evaluated` after every `steps`-th update and after the last one. A resumed run first does the evaluation that was due
 * when it stopped, if the stream ended before it.
 */
export const evaluateEvery =
  (options: { readonly steps: number }) =>
  <E, R>(
    events: Stream.Stream<TrainEvent, E, R>
  ): Stream.Stream<TrainEvent, E | TrainError | ConfigError, R | TrainingSession> =>
    inRange("evaluateEvery", Schema.Struct({ steps: Numbers.Count }), options, ({ steps }) => evaluated(events, steps))

const evaluated = <E, R>(events: Stream.Stream<TrainEvent, E, R>, steps: number) =>
  Stream.flatMap(TrainingSession, (session) =>
    Stream.flatMap(events, (event): Stream.Stream<TrainEvent, E | TrainError> => {
      if (event._tag !== "Step" && event._tag !== "Started") return Stream.succeed(event)
      const step = event._tag === "Step" ? event.step : event.fromStep
      const isDue = step > 0 && (step % steps === 0 || step === session.started.totalSteps)
      const evaluation = Effect.map(Ref.get(session.state), ({ evaluated }) =>
        isDue && evaluated !== step ? Stream.fromEffect(session.evaluate) : Stream.empty
      )
      return Stream.concat(Stream.succeed(event), Stream.unwrap(evaluation))
    })
  )

/** Ends the stream after `patience` evaluations in a row without a new best. */
export const earlyStop =
  (options: { readonly patience: number }) =>
  <E, R>(events: Stream.Stream<TrainEvent, E, R>): Stream.Stream<TrainEvent, E | ConfigError, R | TrainingSession> =>
    inRange("earlyStop", Schema.Struct({ patience: Numbers.Count }), options, ({ patience }) =>
      Stream.flatMap(TrainingSession, ({ state }) =>
        events.pipe(
          Stream.flatMap((event): Stream.Stream<TrainEvent, E> => {
            if (event._tag !== "Evaluated" || event.sinceBest < patience) return Stream.succeed(event)
            const finish = Ref.update(state, (before) => new TrainState({ ...before, finished: "early_stop" })).pipe(
              Effect.as(new Finished({ step: event.step, reason: "early_stop" }))
            )
            return Stream.concat(Stream.succeed(event), finish)
          }),
          Stream.takeUntil((event) => event._tag === "Finished")
        )
      )
    )

/**
 * Ends the stream with `Finished` after the step in which the predicate is true of an event. The run is not marked as
 * finished: resuming it continues with the same bits, if the predicate lets it.
 *
 * @example
 * Training.steps().pipe(Training.stopWhen((event) => event._tag === "Step" && event.loss < 2))
 */
export const stopWhen =
  <E2 = never, R2 = never>(predicate: (event: TrainEvent) => boolean | Effect.Effect<boolean, E2, R2>) =>
  <E, R>(events: Stream.Stream<TrainEvent, E, R>): Stream.Stream<TrainEvent, E | E2, R | R2> =>
    events.pipe(
      Stream.mapAccumEffect(false, (before, event) => {
        const answer = before || predicate(event)
        return Effect.map(Effect.isEffect(answer) ? answer : Effect.succeed(answer), (stop) => [stop, { event, stop }])
      }),
      Stream.mapConcat(({ event, stop }): ReadonlyArray<TrainEvent> => {
        const finished = (step: number) => new Finished({ step, reason: "stopped" })
        if (stop && event._tag === "Started") return [event, finished(event.fromStep)]
        return [stop && event._tag === "StepEnded" ? finished(event.step) : event]
      }),
      Stream.takeUntil((event) => event._tag === "Finished")
    )

/**
 * Writes a checkpoint after every `steps`-th update, after each new best evaluation and at the end. Keeps the newest
 * `keepLast` checkpoints, the best one and the newest good one (see `isGood` in Checkpoint.ts), and removes the others.
 *
 * The end is also where another combinator ends the stream, such as `Stream.take` or `Stream.takeUntil`: the last update is
 * saved, and the run can be resumed from there. If that combinator comes after this one, a checkpoint that cannot be written
 * is an error in the log, because the stream has already ended.
 */
export const checkpointEvery =
  (options: { readonly steps: number; readonly directory: string; readonly keepLast: number }) =>
  <E, R>(
    events: Stream.Stream<TrainEvent, E, R>
  ): Stream.Stream<TrainEvent, E | TrainError | CheckpointError | ConfigError, R | TrainingSession | CheckpointStore> =>
    inRange("checkpointEvery", Saving, options, (saving) => saved(events, saving))

const Saving = Schema.Struct({ steps: Numbers.Count, directory: Schema.String, keepLast: Numbers.Count })

const saved = <E, R>(events: Stream.Stream<TrainEvent, E, R>, options: typeof Saving.Type) =>
  Stream.flatMap(
    Effect.all([TrainingSession, CheckpointStore, Effect.flatMap(TrainingSession, progressOf)]),
    ([session, store, progress]) => {
      const save = (step: number) =>
        Effect.gen(function* () {
          const path = yield* store.save(options.directory, yield* session.snapshot)
          yield* Ref.set(session.lastCheckpoint, path)
          const { best, good, step: at } = yield* Ref.get(session.state)
          yield* Ref.update(progress, (before) => ({ ...before, saved: at }))
          const saved = yield* store.list(options.directory)
          yield* Ref.set(session.lastGood, saved.find((checkpoint) => checkpoint.step === good)?.path ?? null)
          const gone = removable(
            saved.map((checkpoint) => checkpoint.step),
            { keepLast: options.keepLast, best: best?.step, good: good ?? undefined }
          )
          const removed = saved.flatMap((checkpoint) => (gone.includes(checkpoint.step) ? [checkpoint.path] : []))
          yield* Effect.forEach(removed, store.remove, { discard: true })
          return new CheckpointSaved({ step, path, removed })
        })
      const unsaved = Effect.gen(function* () {
        const { step } = yield* Ref.get(session.state)
        return (yield* Ref.get(progress)).saved === step ? Option.none<number>() : Option.some(step)
      })
      const saving = Stream.flatMap(events, (event): Stream.Stream<TrainEvent, E | TrainError | CheckpointError> => {
        if (event._tag !== "StepEnded" && event._tag !== "Finished") return Stream.succeed(event)
        const isEnd = event._tag === "Finished"
        const due = Effect.map(
          Ref.updateAndGet(progress, (before) => ({ ...before, ended: isEnd })).pipe(
            Effect.zipRight(Ref.get(session.state))
          ),
          ({ best }) => isEnd || event.step % options.steps === 0 || best?.step === event.step
        )
        return Stream.flatMap(due, (now) =>
          now ? Stream.concat(save(event.step), Stream.succeed(event)) : Stream.succeed(event)
        )
      })
      // A combinator before this one ended the stream.
      const end = Effect.gen(function* () {
        if ((yield* Ref.get(progress)).ended) return Stream.empty
        const { finished, step } = yield* Ref.get(session.state)
        const last = Stream.succeed(new Finished({ step, reason: finished ?? "stopped" }))
        return Option.isSome(yield* unsaved) ? Stream.concat(Stream.fromEffect(save(step)), last) : last
      })
      // A combinator after this one ended it: this stream has no more events, and its error has nowhere to go.
      const afterEnd = Effect.flatMap(unsaved, Effect.transposeMapOption(save)).pipe(
        Effect.catchAll((error) => Effect.logError(error.message))
      )
      return Stream.concat(saving, Stream.unwrap(end)).pipe(
        Stream.ensuringWith((exit) => (Exit.isSuccess(exit) ? afterEnd : Effect.void))
      )
    }
  )

/** The step of the newest checkpoint, and whether the stream has ended with `Finished`. */
const progressOf = ({ started }: TrainingSession.Service) => Ref.make({ saved: started.fromStep, ended: false })

/** Logs every `every`-th update and each evaluation to a tracker. The events stay as they are. */
export const track =
  (tracker: Tracker.Session, options: { readonly every?: number } = {}) =>
  <E, R>(events: Stream.Stream<TrainEvent, E, R>): Stream.Stream<TrainEvent, E | TrackerError | ConfigError, R> =>
    inRange("track", Schema.Struct({ every: Numbers.Count }), { every: options.every ?? 1 }, ({ every }) =>
      Stream.tap(events, (event) => {
        if (event._tag === "Step" && event.step % every === 0) {
          const { epoch, gradientNorm, learningRate, loss, step, stepMillis, tokens } = event
          return tracker.log({
            step,
            split: "train",
            values: { loss, epoch, learning_rate: learningRate, gradient_norm: gradientNorm, tokens },
            time: { step_millis: stepMillis }
          })
        }
        if (event._tag === "Evaluated") {
          const { accuracy, bitsPerByte, evaluationMillis, loss, split, step, tokens } = event
          return tracker.log({
            step,
            split,
            values: { loss, bits_per_byte: bitsPerByte, accuracy, tokens },
            time: { evaluation_millis: evaluationMillis }
          })
        }
        return Effect.void
      })
    )

/**
 * Runs a stream that is built around a stop signal, so that after an interruption the current update ends, its events
 * are handled and a last checkpoint is written, before the fiber stops.
 *
 * If that fails (a full disk), the cause has the failure besides the interruption. Handlers such as `catchAll` do not run in an
 * interrupted fiber; `Effect.onExit` and the exit of the fiber see it.
 */
export const runInterruptibly = <E, R>(
  build: (stop: Effect.Effect<boolean>) => Stream.Stream<TrainEvent, E, R>,
  onEvent: (event: TrainEvent) => Effect.Effect<void>
): Effect.Effect<void, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const stop = yield* Deferred.make<void>()
      const running = yield* Stream.runForEach(build(Deferred.isDone(stop)), onEvent).pipe(Effect.fork)
      const exit = yield* Effect.exit(restore(Fiber.join(running)))
      if (Exit.isSuccess(exit) || !Cause.isInterrupted(exit.cause)) return yield* exit
      yield* Deferred.succeed(stop, undefined)
      const last = yield* Fiber.await(running)
      return yield* Exit.isSuccess(last) ? exit : Effect.failCause(Cause.sequential(last.cause, exit.cause))
    })
  )

/**
 * What to do after an interruption of `runInterruptibly`: `saved` when the run can be resumed, `failed` with the error of the
 * last checkpoint when it could not be written. Must be close to the effect: `catchAll` and `mapError` lose that error.
 */
export const onInterrupt =
  <E, R1, R2>(handlers: {
    readonly saved: Effect.Effect<void, never, R1>
    readonly failed: (error: E) => Effect.Effect<void, never, R2>
  }) =>
  <A, R>(training: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | R1 | R2> =>
    Effect.onExit(training, (exit): Effect.Effect<void, never, R1 | R2> => {
      if (Exit.isSuccess(exit) || !Cause.isInterrupted(exit.cause)) return Effect.void
      return Option.match(Cause.failureOption(exit.cause), { onNone: () => handlers.saved, onSome: handlers.failed })
    })
