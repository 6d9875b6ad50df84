/**
 * The combinators over the stream of training events, on real sessions and real files. Oracles: the order that the headers
 * of Training.ts and TrainEvent.ts state, written out; the run that was not interrupted. Needs a CPU session.
 */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import { expect, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import type { Tracker } from "../../../src/core/Tracker.ts"
import { adamw } from "../../../src/core/tensor/Optimizer.ts"
import { CheckpointStore, TrainState } from "../../../src/core/training/Checkpoint.ts"
import { Evaluated, Finished, type Step, StepEnded, type TrainEvent } from "../../../src/core/training/TrainEvent.ts"
import * as Training from "../../../src/core/training/Training.ts"
import { TrainingSession } from "../../../src/core/training/TrainingSession.ts"
import { full } from "../../full.ts"
import * as Tiny from "../../training/tiny.ts"

const temporary = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped())

/** Evaluations at every step with given losses, as the session would report them. */
const scripted = (validation: ReadonlyArray<number>) =>
  Stream.unwrap(
    Effect.gen(function* () {
      const { state } = yield* TrainingSession
      let best = Number.POSITIVE_INFINITY
      let sinceBest = 0
      const events: Array<TrainEvent> = []
      for (const [i, loss] of validation.entries()) {
        const step = i + 1
        const isBest = loss < best
        best = Math.min(best, loss)
        sinceBest = isBest ? 0 : sinceBest + 1
        const rest = { split: "validation", bitsPerByte: 1, accuracy: 0, tokens: 1, evaluationMillis: 0 } as const
        events.push(new Evaluated({ step, loss, best: isBest, sinceBest, ...rest }), new StepEnded({ step }))
      }
      return Stream.fromIterable(events).pipe(
        Stream.tap((event) =>
          event._tag === "Evaluated" && event.best
            ? Ref.update(state, (s) => new TrainState({ ...s, best: { step: event.step, loss: event.loss } }))
            : Effect.void
        )
      )
    })
  )

layer(Tiny.cpu)("numbers of a combinator", (it) => {
  const silent = { log: () => Effect.void }
  const saving = { steps: 1, directory: "unused", keepLast: 1 }
  const started = Training.steps().pipe(Stream.tap(() => Effect.die("an event of training")))
  it.effect.each([
    ["evaluateEvery: steps", (steps: number) => Training.evaluateEvery({ steps })(started)],
    ["earlyStop: patience", (patience: number) => Training.earlyStop({ patience })(started)],
    ["checkpointEvery: steps", (steps: number) => Training.checkpointEvery({ ...saving, steps })(started)],
    ["checkpointEvery: keepLast", (keepLast: number) => Training.checkpointEvery({ ...saving, keepLast })(started)],
    ["track: every", (every: number) => Training.track(silent, { every })(started)]
  ] as const)("are refused before training if they are out of range: %s", ([option, events]) =>
    Effect.gen(function* () {
      const refused = (value: number) =>
        Stream.catchAll(events(value), (error: { readonly _tag: string }) => Stream.fail(error))
      const values = [0, 1.5, -1, Number.NaN, Number.POSITIVE_INFINITY]
      const errors = Effect.forEach(values, (value) => Effect.flip(Stream.runDrain(refused(value))))
      for (const error of yield* Tiny.withSession({}, errors)) {
        expect(error).toMatchObject({ _tag: "ConfigError", message: expect.stringContaining(`Training.${option}: `) })
      }
    })
  )
})

layer(Tiny.cpu)("steps", (it) => {
  it.effect("are Started, then Step and StepEnded of each update, and Finished in place of the last StepEnded", () =>
    Effect.gen(function* () {
      const events = yield* Tiny.eventsOf({ training: { max_steps: 3 } }, Training.steps())
      expect(Tiny.names(events)).toEqual([
        "Started 0",
        "Step 1",
        "StepEnded 1",
        "Step 2",
        "StepEnded 2",
        "Step 3",
        "Finished 3"
      ])
      expect(events.at(-1)).toEqual(new Finished({ step: 3, reason: "completed" }))
    })
  )

  it.effect("count epochs, tokens and the learning rate of each update", () =>
    Effect.gen(function* () {
      // 41 tokens: windows start in [0, 8), so four of them always fit; two a batch make two steps an epoch.
      const over = {
        tokens: { train: Tiny.tokenFile(Tiny.periodic(41)), validation: undefined },
        training: { batch_size: 2, epochs: 2 },
        schedule: (step: number) => (step + 1) / 1000
      }
      const events = yield* Tiny.eventsOf(over, Training.steps())
      const steps = events.filter((event): event is Step => event._tag === "Step")
      expect(events[0]).toMatchObject({ totalSteps: 4, stepsPerEpoch: 2, tokensPerStep: 16, fromStep: 0 })
      expect(steps.map(({ epoch }) => epoch)).toEqual([0.5, 1, 1.5, 2])
      expect(steps.map(({ tokens }) => tokens)).toEqual([16, 32, 48, 64])
      expect(steps.map(({ learningRate }) => learningRate)).toEqual([0.001, 0.002, 0.003, 0.004])
    })
  )

  it.effect("learn: a text of period eleven is known after forty updates", () =>
    Effect.gen(function* () {
      const events = yield* Tiny.eventsOf({ training: { max_steps: 40 } }, Training.steps())
      const losses = Tiny.losses(events)
      // Small weights start near the uniform distribution.
      expect(Math.abs(losses[0]! - Math.log(Tiny.vocabularySize))).toBeLessThan(0.2)
      expect(losses.at(-1)!).toBeLessThan(losses[0]! / 3)
    })
  )
})

layer(Tiny.cpu)("evaluateEvery", (it) => {
  it.effect("adds Evaluated after every n-th Step and after the last one", () =>
    Effect.gen(function* () {
      const events = yield* Tiny.eventsOf(
        { training: { max_steps: 5 } },
        Training.steps().pipe(Training.evaluateEvery({ steps: 2 }))
      )
      expect(Tiny.names(events).slice(1)).toEqual([
        "Step 1",
        "StepEnded 1",
        "Step 2",
        "Evaluated 2",
        "StepEnded 2",
        "Step 3",
        "StepEnded 3",
        "Step 4",
        "Evaluated 4",
        "StepEnded 4",
        "Step 5",
        "Evaluated 5",
        "Finished 5"
      ])
    })
  )

  it.effect("scores every held-out token but the first, learns nothing by it, and marks the best", () =>
    Effect.gen(function* () {
      const [plain, evaluated] = [
        yield* Tiny.eventsOf({}, Training.steps()),
        yield* Tiny.eventsOf({}, Training.steps().pipe(Training.evaluateEvery({ steps: 3 })))
      ]
      expect(Tiny.losses(evaluated)).toEqual(Tiny.losses(plain))
      const scores = evaluated.filter((event): event is Evaluated => event._tag === "Evaluated")
      expect(scores.map(({ tokens }) => tokens)).toEqual([59, 59, 59, 59])
      for (const [i, { best, bitsPerByte, loss, sinceBest }] of scores.entries()) {
        const isBest = scores.slice(0, i).every((before) => loss < before.loss)
        expect(best).toBe(isBest)
        expect(sinceBest === 0).toBe(isBest)
        // One byte a token.
        expect(bitsPerByte).toBeCloseTo(loss / Math.log(2), 12)
      }
    })
  )
})

layer(Tiny.cpu)("earlyStop", (it) => {
  it.effect("ends after the evaluation that is the patience-th without a new best", () =>
    Effect.gen(function* () {
      const events = yield* Tiny.eventsOf(
        {},
        scripted([5, 4, 4.5, 3, 3, 3.1, 2]).pipe(Training.earlyStop({ patience: 2 }))
      )
      expect(Tiny.names(events).slice(-4)).toEqual(["Evaluated 5", "StepEnded 5", "Evaluated 6", "Finished 6"])
      expect(events.at(-1)).toEqual(new Finished({ step: 6, reason: "early_stop" }))
    })
  )

  it.effect("does nothing while there is progress", () =>
    Effect.gen(function* () {
      const events = yield* Tiny.eventsOf({}, scripted([5, 6, 4, 5, 3]).pipe(Training.earlyStop({ patience: 2 })))
      expect(Tiny.names(events)).toHaveLength(10)
      expect(events.some(({ _tag }) => _tag === "Finished")).toBe(false)
    })
  )

  it.scoped("is a state of the run: its checkpoint says so", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const events = yield* Tiny.eventsOf(
        // The rate is too small to change a float32 loss, so the first evaluation stays the best.
        { schedule: () => 0 },
        Training.steps().pipe(
          Training.evaluateEvery({ steps: 1 }),
          Training.earlyStop({ patience: 3 }),
          Training.checkpointEvery({ steps: 100, directory, keepLast: 1 })
        )
      )
      expect(Tiny.names(events).slice(-3)).toEqual(["Evaluated 4", "CheckpointSaved 4", "Finished 4"])
      const newest = yield* (yield* CheckpointStore).newest(directory)
      expect(newest?.checkpoint.state).toMatchObject({ step: 4, finished: "early_stop", sinceBest: 3 })
      expect(newest?.checkpoint.state.best?.step).toBe(1)
      expect(readdirSync(directory).sort()).toEqual(["step-00000001", "step-00000004"])
    })
  )
})

layer(Tiny.cpu)("checkpointEvery", (it) => {
  it.scoped("saves before StepEnded, after each new best and at the end; keeps the newest two and the best", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const events = yield* Tiny.eventsOf(
        {},
        scripted([5, 3, 4, 4, 4, 4, 4, 4]).pipe(Training.checkpointEvery({ steps: 3, directory, keepLast: 2 }))
      )
      // The session itself is at step 0 here; the test only checks which steps are due.
      const saved = events.flatMap((event) => (event._tag === "CheckpointSaved" ? [event.step] : []))
      expect(saved).toEqual([1, 2, 3, 6])
      const all = Tiny.names(events)
      expect(all.indexOf("CheckpointSaved 2")).toBe(all.indexOf("StepEnded 2") - 1)
    })
  )

  it.scoped("leaves the newest n and the best, and says what it removed", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const events = yield* Tiny.eventsOf(
        // Learns at first; then the rate is so high that the model gets worse.
        { training: { max_steps: 9 }, schedule: (step) => (step < 4 ? 1e-2 : 3) },
        Training.steps().pipe(
          Training.evaluateEvery({ steps: 2 }),
          Training.checkpointEvery({ steps: 2, directory, keepLast: 2 })
        )
      )
      const best = events.filter((event): event is Evaluated => event._tag === "Evaluated" && event.best)
      expect(best.map(({ step }) => step)).toEqual([2, 4])
      const saved = events.flatMap((event) => (event._tag === "CheckpointSaved" ? [event] : []))
      expect(saved.map(({ step }) => step)).toEqual([2, 4, 6, 8, 9])
      expect(saved.map(({ removed }) => removed.map((path) => path.slice(-1)))).toEqual([[], [], ["2"], [], ["6"]])
      expect(readdirSync(directory).sort()).toEqual(["step-00000004", "step-00000008", "step-00000009"])
    })
  )
})

layer(Tiny.cpu)("a stream that ends early", (it) => {
  type Events = <E, R>(events: Stream.Stream<TrainEvent, E, R>) => Stream.Stream<TrainEvent, E, R>
  const isStep = (step: number) => (event: TrainEvent) => event._tag === "Step" && event.step === step

  const pipeline = (directory: string, before: Events, after: Events) =>
    before(Training.steps().pipe(Training.evaluateEvery({ steps: 3 }))).pipe(
      Training.checkpointEvery({ steps: 100, directory, keepLast: 2 }),
      after
    )
  const whole: Events = (events) => events

  const ends: ReadonlyArray<readonly [name: string, step: number, before: Events, after: Events]> = [
    ["stopWhen", 5, Training.stopWhen(isStep(5)), whole],
    // Ends between an update and its evaluation.
    ["takeUntil", 6, Stream.takeUntil(isStep(6)), whole],
    ["take", 3, Stream.take(7), whole],
    ["takeUntil after the checkpoints", 6, whole, Stream.takeUntil(isStep(6))]
  ]
  const moreEnds: typeof ends = [
    ["stopWhen with an effect", 6, Training.stopWhen((event) => Effect.succeed(isStep(6)(event))), whole],
    ["stopWhen after the checkpoints", 5, whole, Training.stopWhen(isStep(5))],
    ["take after the checkpoints", 2, whole, Stream.take(5)],
    // Sees the fifth update before it ends the stream.
    ["takeWhile", 5, Stream.takeWhile((event) => !isStep(5)(event)), whole]
  ]

  it.scoped("saves its last update, is not finished, and resumes to the same bits", () =>
    Effect.gen(function* () {
      const store = yield* CheckpointStore
      const expected = yield* temporary
      yield* Tiny.eventsOf({}, pipeline(expected, whole, whole))
      const bytes = (directory: string) =>
        ["model.safetensors", "optimizer.safetensors", "state.json"].map((file) =>
          Tiny.sha256(join(directory, "step-00000012", file))
        )
      for (const [name, step, before, after] of full ? [...ends, ...moreEnds] : ends) {
        const directory = yield* temporary
        const events = yield* Tiny.eventsOf({}, pipeline(directory, before, after))
        const newest = yield* store.newest(directory)
        expect(newest?.checkpoint.state, name).toMatchObject({ step, finished: null })
        if (after === whole) {
          expect(events.at(-1), name).toEqual(new Finished({ step, reason: "stopped" }))
          expect(events.filter(({ _tag }) => _tag === "Finished")).toHaveLength(1)
        }
        const resumed = yield* Tiny.eventsOf({ resume: newest?.checkpoint }, pipeline(directory, whole, whole))
        expect(resumed.at(-1)).toEqual(new Finished({ step: 12, reason: "completed" }))
        expect(bytes(directory), name).toEqual(bytes(expected))
      }
    })
  )

  it.scoped("before its first update saves nothing, and a run that ends by itself is saved once", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const events = yield* Tiny.eventsOf({}, pipeline(directory, Stream.take(1), whole))
      expect(Tiny.names(events)).toEqual(["Started 0", "Finished 0"])
      expect(readdirSync(directory)).toEqual([])
      const all = yield* Tiny.eventsOf({ training: { max_steps: 2 } }, pipeline(directory, whole, whole))
      expect(Tiny.names(all).slice(-3)).toEqual(["Evaluated 2", "CheckpointSaved 2", "Finished 2"])
    })
  )

  it.effect("by stopWhen ends after the whole step, whichever of its events is meant", () =>
    Effect.gen(function* () {
      const stopped = (predicate: (event: TrainEvent) => boolean) =>
        Effect.map(
          Tiny.eventsOf(
            { training: { max_steps: 5 } },
            Training.steps().pipe(Training.evaluateEvery({ steps: 2 }), Training.stopWhen(predicate))
          ),
          Tiny.names
        )
      const two = ["Started 0", "Step 1", "StepEnded 1", "Step 2", "Evaluated 2", "Finished 2"]
      expect(yield* stopped(isStep(2))).toEqual(two)
      expect(yield* stopped((event) => event._tag === "Evaluated")).toEqual(two)
      expect(yield* stopped((event) => event._tag === "StepEnded" && event.step === 2)).toEqual(two)
      expect(yield* stopped(() => true)).toEqual(["Started 0", "Finished 0"])
      // The last update ends the run in any case.
      expect((yield* stopped(isStep(5))).slice(-2)).toEqual(["Evaluated 5", "Finished 5"])
    })
  )

  it.effect("by stopWhen fails with the error of its predicate", () =>
    Effect.gen(function* () {
      const events = Training.steps().pipe(Training.stopWhen((event) => isStep(2)(event) && Effect.fail("no" as const)))
      expect(yield* Effect.flip(Tiny.eventsOf({}, events))).toBe("no")
    })
  )
})

layer(Tiny.cpu)("track", (it) => {
  it.effect("logs every n-th update and each evaluation, durations apart, and changes no event", () =>
    Effect.gen(function* () {
      const logged: Array<Tracker.Logged> = []
      const tracker = { log: (line: Tracker.Logged) => Effect.sync(() => logged.push(line)).pipe(Effect.asVoid) }
      const events = yield* Tiny.eventsOf(
        { training: { max_steps: 4 } },
        Training.steps().pipe(Training.evaluateEvery({ steps: 3 }), Training.track(tracker, { every: 2 }))
      )
      expect(logged.map(({ split, step }) => `${split} ${step}`)).toEqual([
        "train 2",
        "validation 3",
        "train 4",
        "validation 4"
      ])
      const second = events.find((event): event is Step => event._tag === "Step" && event.step === 2)!
      expect(logged[0]).toEqual({
        step: 2,
        split: "train",
        values: {
          loss: second.loss,
          epoch: second.epoch,
          learning_rate: second.learningRate,
          gradient_norm: second.gradientNorm,
          tokens: second.tokens
        },
        time: { step_millis: second.stepMillis }
      })
      const third = events.find((event): event is Evaluated => event._tag === "Evaluated" && event.step === 3)!
      expect(logged[1]).toEqual({
        step: 3,
        split: "validation",
        values: {
          loss: third.loss,
          bits_per_byte: third.bitsPerByte,
          accuracy: third.accuracy,
          tokens: third.tokens
        },
        time: { evaluation_millis: third.evaluationMillis }
      })
      expect(Tiny.names(events)).toHaveLength(11)
    })
  )

  it.effect("logs scores of the training text under a separate split", () =>
    Effect.gen(function* () {
      const logged: Array<Tracker.Logged> = []
      const tracker = { log: (line: Tracker.Logged) => Effect.sync(() => logged.push(line)).pipe(Effect.asVoid) }
      yield* Tiny.eventsOf(
        { tokens: { train: Tiny.tokenFile(Tiny.periodic(400)) }, training: { max_steps: 2 } },
        Training.steps().pipe(Training.evaluateEvery({ steps: 2 }), Training.track(tracker))
      )
      expect(logged.map(({ split, step }) => `${split} ${step}`)).toEqual(["train 1", "train 2", "train_eval 2"])
    })
  )
})

layer(Tiny.cpu)("numbers that are none", (it) => {
  it.scoped("stop the run with the step and the last good checkpoint", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const error = yield* Tiny.eventsOf(
        { schedule: (step) => (step < 4 ? 1e-2 : 1e30) },
        Training.steps().pipe(Training.checkpointEvery({ steps: 3, directory, keepLast: 2 }))
      ).pipe(Effect.flip)
      const last = join(directory, "step-00000003")
      expect(error).toMatchObject({ _tag: "NonFiniteLoss", step: 6, lastCheckpoint: last })
      expect(error.message).toContain("Step 6: ")
      expect(error.message).toContain(`The last good checkpoint is ${last}.`)
      // It really is good.
      expect((yield* (yield* CheckpointStore).load(last)).state.step).toBe(3)
    })
  )

  /** The fifth update makes every parameter about 1e30, which is finite; checkpoints follow at each update. */
  const diverging = (keepLast: number) =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const error = yield* Tiny.eventsOf(
        { schedule: (step) => (step < 4 ? 1e-2 : 1e30) },
        Training.steps().pipe(Training.checkpointEvery({ steps: 1, directory, keepLast }))
      ).pipe(Effect.flip)
      return { directory, error }
    })

  it.scoped("that come after huge ones do not take the last good checkpoint away", () =>
    Effect.gen(function* () {
      const { directory, error } = yield* diverging(1)
      const last = join(directory, "step-00000004")
      expect(error.message).toContain(`The last good checkpoint is ${last}.`)
      const { parameters, state } = yield* (yield* CheckpointStore).load(last)
      expect(state).toMatchObject({ step: 4, good: 4 })
      for (const { data } of Object.values(parameters)) expect(Math.max(...data)).toBeLessThan(10)
    })
  )

  it("in a message that does not call a checkpoint good that is not", () => {
    const message = (lastCheckpoint: string | null, lastGood: string | null) =>
      new TrainingSession.NonFiniteError({ step: 9, details: "the loss is NaN", lastCheckpoint, lastGood }).message
    expect(message("b", "b")).toContain("The last good checkpoint is b. Lower training.lr")
    expect(message("b", "b")).toContain("codex train --from b …")
    expect(message("b", "a")).toContain("The last good checkpoint is a. At later ones the model had already diverged.")
    expect(message("b", null)).toContain("No checkpoint is good: at b the model had already diverged.")
    expect(message(null, null)).toContain("No checkpoint had been written yet.")
  })

  it.scoped("are looked for in what is saved: a loss far above a uniform guess is saved, but not good", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      // Finite all the time: the second update is a thousand times too long.
      yield* Tiny.eventsOf(
        { training: { max_steps: 3 }, schedule: (step) => (step === 1 ? 10 : 1e-3) },
        Training.steps().pipe(Training.checkpointEvery({ steps: 1, directory, keepLast: 1 }))
      )
      const store = yield* CheckpointStore
      expect((yield* store.list(directory)).map(({ step }) => step)).toEqual([1, 3])
      expect((yield* store.newest(directory))?.checkpoint.state).toMatchObject({ step: 3, good: 1 })
    })
  )

  it.effect("say so when there is no checkpoint yet", () =>
    Effect.gen(function* () {
      const error = yield* Tiny.eventsOf({ schedule: () => 1e30 }, Training.steps()).pipe(Effect.flip)
      expect(error).toMatchObject({ _tag: "NonFiniteLoss", step: 2, lastCheckpoint: null })
      expect(error.message).toContain("No checkpoint had been written yet.")
    })
  )

  // 3e38 times a decay of 100 is infinite in float32: the third update spoils every parameter, and its own loss is from before it.
  const third = {
    schedule: (step: number) => (step < 2 ? 1e-3 : 3e38),
    optimizer: adamw({ beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 100 })
  }

  it.scoped("never become the best evaluation", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const error = yield* Tiny.eventsOf(
        third,
        Training.steps().pipe(
          Training.evaluateEvery({ steps: 1 }),
          Training.checkpointEvery({ steps: 1, directory, keepLast: 1 })
        )
      ).pipe(Effect.flip)
      const last = join(directory, "step-00000002")
      expect(error).toMatchObject({ _tag: "NonFiniteLoss", step: 3, lastCheckpoint: last })
      expect(error.message).toContain("the loss on held-out text is NaN")
      const newest = yield* (yield* CheckpointStore).newest(directory)
      expect(newest?.checkpoint.state).toMatchObject({ step: 2, best: { step: 2 } })
    })
  )

  it.scoped("are never saved", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const error = yield* Tiny.eventsOf(
        third,
        Training.steps().pipe(Training.checkpointEvery({ steps: 1, directory, keepLast: 9 }))
      ).pipe(Effect.flip)
      expect(error).toMatchObject({ _tag: "NonFiniteLoss", step: 3, lastCheckpoint: join(directory, "step-00000002") })
      expect(error.message).toMatch(/Step 3: parameter \S+ is not finite/)
      expect(readdirSync(directory).sort()).toEqual(["step-00000001", "step-00000002"])
    })
  )
})

layer(Tiny.cpu, { excludeTestServices: true })("runInterruptibly", (it) => {
  const stream = (directory: string, stop?: Effect.Effect<boolean>) =>
    Training.steps(stop === undefined ? {} : { stop }).pipe(
      Training.evaluateEvery({ steps: 5 }),
      Training.checkpointEvery({ steps: 100, directory, keepLast: 1 })
    )

  it.scoped("lets the update in progress end and writes a checkpoint; resuming from it gives the same bytes", () =>
    Effect.gen(function* () {
      const store = yield* CheckpointStore
      const [whole, cut] = [yield* temporary, yield* temporary]
      yield* Tiny.eventsOf({}, stream(whole))

      const seen: Array<TrainEvent> = []
      const reached = yield* Deferred.make<void>()
      const onEvent = (event: TrainEvent) => {
        seen.push(event)
        return event._tag === "Step" && event.step === 7 ? Deferred.succeed(reached, undefined) : Effect.void
      }
      const running = yield* Tiny.withSession(
        {},
        Training.runInterruptibly((stop) => stream(cut, stop), onEvent)
      ).pipe(Effect.fork)
      yield* Deferred.await(reached)
      yield* Fiber.interrupt(running)

      const last = seen.at(-1)
      expect(last).toMatchObject({ _tag: "Finished", reason: "interrupted" })
      const step = last?._tag === "Finished" ? last.step : 0
      expect(step).toBeGreaterThanOrEqual(7)
      expect(step).toBeLessThan(12)
      const stopped = yield* store.newest(cut)
      expect(stopped?.checkpoint.state).toMatchObject({ step, finished: null })

      const resumed = yield* Tiny.eventsOf({ resume: stopped?.checkpoint }, stream(cut))
      expect(Tiny.names(resumed)[0]).toBe(`Started ${step}`)
      expect(resumed.at(-1)).toEqual(new Finished({ step: 12, reason: "completed" }))
      for (const file of ["model.safetensors", "optimizer.safetensors", "state.json"]) {
        const name = join("step-00000012", file)
        expect(Tiny.sha256(join(cut, name)), file).toBe(Tiny.sha256(join(whole, name)))
      }
    })
  )

  it.scoped("fails with the error of the last checkpoint if it cannot be written", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = join(yield* temporary, "checkpoints")
      const reached = yield* Deferred.make<void>()
      const handled: Array<string> = []
      let stopped = Effect.succeed(false)
      // The first update lasts until the interruption: a checkpoint of a later one would fail before it.
      const interruption = Effect.yieldNow().pipe(
        Effect.zipRight(Effect.suspend(() => stopped)),
        Effect.repeat({ until: (isStopped) => isStopped })
      )
      const running = yield* Tiny.withSession(
        {},
        Training.runInterruptibly(
          (stop) => {
            stopped = stop
            return stream(directory, stop)
          },
          (event) =>
            event._tag === "Step" ? Effect.zipRight(Deferred.succeed(reached, undefined), interruption) : Effect.void
        )
      ).pipe(
        Training.onInterrupt({
          saved: Effect.sync(() => handled.push("saved")),
          failed: (error) => Effect.sync(() => handled.push(error._tag))
        }),
        Effect.fork
      )
      yield* Deferred.await(reached)
      // A file where the directory of the checkpoints should be.
      yield* fs.writeFileString(directory, "")
      const exit = yield* Fiber.interrupt(running)
      const cause = Exit.isFailure(exit) ? exit.cause : Cause.empty
      expect(Cause.isInterrupted(cause)).toBe(true)
      expect(Option.map(Cause.failureOption(cause), ({ _tag }) => _tag)).toEqual(Option.some("CheckpointError"))
      expect(handled).toEqual(["CheckpointError"])
    })
  )

  it.scoped("calls the handler for a saved run after the last checkpoint", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const reached = yield* Deferred.make<void>()
      const saved: Array<string> = []
      const running = yield* Tiny.withSession(
        {},
        Training.runInterruptibly(
          (stop) => stream(directory, stop),
          (event) => (event._tag === "Step" ? Deferred.succeed(reached, undefined) : Effect.void)
        )
      ).pipe(
        Training.onInterrupt({
          saved: Effect.sync(() => saved.push(...readdirSync(directory))),
          failed: () => Effect.void
        }),
        Effect.fork
      )
      yield* Deferred.await(reached)
      yield* Fiber.interrupt(running)
      expect(saved).toEqual([expect.stringMatching(/^step-/)])
    })
  )

  it.scoped("fails with the stream's own failure", () =>
    Effect.gen(function* () {
      const error = yield* Tiny.withSession(
        { schedule: () => 1e30 },
        Training.runInterruptibly(
          (stop) => Training.steps({ stop }),
          () => Effect.void
        )
      ).pipe(Effect.flip)
      expect(error._tag).toBe("NonFiniteLoss")
    })
  )
})
