/**
 * The session itself: its defaults, what it scores, and that an interruption never separates the parameters from the state.
 *
 * Oracles: the defaults of the config's schema, and a session that was not interrupted, bit for bit. Needs a CPU session.
 */
import { createHash } from "node:crypto"
import { expect, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import { Backend, type TensorDatas } from "../../../src/core/Backend.ts"
import { type TokenFile, TokenFileError } from "../../../src/core/data/TokenFile.ts"
import { TrainingSession } from "../../../src/core/training/TrainingSession.ts"
import { full } from "../../full.ts"
import * as Tiny from "../../training/tiny.ts"

const train = Tiny.tokenFile(Tiny.periodic(400))

layer(Tiny.cpu)("a session of a model and its text alone", (it) => {
  it.scoped("has the defaults of the config's schema", () =>
    Effect.gen(function* () {
      const architecture = Tiny.architecture()
      const options = { architecture, tokens: { train } }
      const { training, ...plan } = yield* TrainingSession.plan(options)
      expect(training).toMatchObject({ seed: 42, lr: 1e-3, batch_size: 32, epochs: 3, lr_schedule: "cosine" })
      // The context is the model's; 49 windows of 8 tokens make one batch of 32 an epoch.
      expect(plan).toMatchObject({ contextLength: 8, batchSize: 32, stepsPerEpoch: 1, totalSteps: 3 })
      const session = yield* TrainingSession.make(options)
      expect((yield* session.step).learningRate).toBeCloseTo(1e-3, 12)
      // Without a tokenizer no special token is known.
      const none = { bos_token_id: null, eos_token_id: null, pad_token_id: null }
      const { "config.json": config = "", ...others } = (yield* session.snapshot).files
      expect(JSON.parse(config)).toEqual({ ...architecture.config, ...none })
      expect(Object.keys(others)).toEqual(["generation_config.json"])
    })
  )

  it.scoped("refuses settings that the schema does not allow", () =>
    Effect.gen(function* () {
      const options = { architecture: Tiny.architecture(), tokens: { train } }
      const error = yield* Effect.flip(TrainingSession.make({ ...options, training: { lr: 0 } }))
      expect(error.message).toBe("training.lr: expected a number ≥ 1e-37 and ≤ 1e+38, got 0")
      const odd = { batch_size: 4, gradient_accumulation_steps: 3 }
      expect((yield* Effect.flip(TrainingSession.make({ ...options, training: odd }))).message).toBe(
        "training.gradient_accumulation_steps: 3 does not divide training.batch_size 4. Choose a divisor of the batch size."
      )
    })
  )
})

layer(Tiny.cpu)("step", (it) => {
  it.effect("reads the batch of the next update while the device computes, and none after the last update", () =>
    Effect.gen(function* () {
      const read: Array<number> = []
      const next = yield* Deferred.make<void>()
      const tokens: TokenFile = {
        ...train,
        read: (position, length) =>
          Effect.zipLeft(
            train.read(position, length),
            Effect.when(Deferred.succeed(next, undefined), () => read.push(position) === 8)
          )
      }
      const backend = yield* Backend
      // The device answers when the four windows of the second update were read, after those of the first.
      const service: Backend.Service = {
        ...backend,
        compile: (programs) =>
          Effect.map(backend.compile(programs), (executable) => ({
            ...executable,
            run: (...run) => Effect.zipRight(Deferred.await(next), executable.run(...run))
          }))
      }
      const steps = yield* Tiny.withSession(
        { tokens: { train: tokens }, training: { max_steps: 2 } },
        Effect.flatMap(TrainingSession, ({ step }) => Effect.all([step, step]))
      ).pipe(Effect.provideService(Backend, service))
      expect(read.length).toBe(8)
      const plain = yield* Tiny.withSession(
        { tokens: { train }, training: { max_steps: 2 } },
        Effect.flatMap(TrainingSession, ({ step }) => Effect.all([step, step]))
      )
      expect(steps.map(({ loss }) => loss)).toEqual(plain.map(({ loss }) => loss))
    })
  )

  it.effect("is not failed by a batch that could not be read ahead and that no update takes", () =>
    Effect.gen(function* () {
      let reads = 0
      const broken = new TokenFileError({
        path: "train.tokens",
        details: "The file is gone.",
        remedy: "Make it again."
      })
      const tokens: TokenFile = {
        ...train,
        read: (position, length) => Effect.suspend(() => (++reads > 4 ? broken : train.read(position, length)))
      }
      yield* Tiny.withSession(
        { tokens: { train: tokens } },
        Effect.gen(function* () {
          const { state, step } = yield* TrainingSession
          expect((yield* step).step).toBe(1)
          // The update that needs it fails with it, and leaves the state as it was.
          expect(yield* Effect.flip(step)).toBe(broken)
          expect((yield* Ref.get(state)).step).toBe(1)
        })
      )
    })
  )
})

layer(Tiny.cpu)("evaluate", (it) => {
  it.effect("scores held-out text, and says so when it scores the training text because nothing is held out", () =>
    Effect.gen(function* () {
      const evaluated = (validation: TokenFile | undefined) =>
        Tiny.withSession(
          { tokens: { train, validation } },
          Effect.flatMap(TrainingSession, (session) => session.evaluate)
        )
      expect(yield* evaluated(Tiny.tokenFile(Tiny.periodic(60)))).toMatchObject({ split: "validation", tokens: 59 })
      expect(yield* evaluated(undefined)).toMatchObject({ split: "train_eval", tokens: 399 })
    })
  )
})

const sha256 = (tensors: TensorDatas): string =>
  Object.values(tensors)
    .reduce((hash, { data }) => hash.update(new Uint8Array(data.buffer)), createHash("sha256"))
    .digest("hex")

/** A backend and a text that call `gate` before and after everything that an update waits for. */
const gated = (gate: Effect.Effect<void>, backend: Backend.Service) => {
  const around = <A, E>(effect: Effect.Effect<A, E>) => gate.pipe(Effect.zipRight(effect), Effect.zipLeft(gate))
  const tokens: TokenFile = { ...train, read: (position, length) => around(train.read(position, length)) }
  const service: Backend.Service = {
    ...backend,
    compile: (programs) =>
      Effect.map(backend.compile(programs), (executable) => ({
        ...executable,
        run: (name, inputs, fetch) => around(executable.run(name, inputs, fetch))
      }))
  }
  return { tokens, service }
}

layer(Tiny.cpu, { excludeTestServices: true })("an interruption of an update", (it) => {
  /** Four updates. The second one is interrupted at its gate of that number, and done again if it did not happen. */
  const updates = (interruptedAt: number | undefined) =>
    Effect.gen(function* () {
      const reached = yield* Deferred.make<void>()
      let [open, passed] = [true, 0]
      const gate = Effect.suspend(() =>
        open || passed++ !== interruptedAt
          ? Effect.void
          : Effect.zipRight(Deferred.succeed(reached, undefined), Effect.sleep("5 millis"))
      )
      const { service, tokens } = gated(gate, yield* Backend)
      return yield* Tiny.withSession(
        { tokens: { train: tokens }, training: { max_steps: 4 } },
        Effect.gen(function* () {
          const session = yield* TrainingSession
          yield* session.step
          open = false
          const update = yield* Effect.fork(session.step)
          if (interruptedAt !== undefined) {
            yield* Deferred.await(reached)
            yield* Fiber.interrupt(update)
          } else yield* Fiber.join(update)
          open = true
          while ((yield* Ref.get(session.state)).step < 4) yield* session.step
          const { optimizer, parameters, state } = yield* session.snapshot
          return { passed, state, sha256: sha256({ ...optimizer, ...parameters }) }
        })
      ).pipe(Effect.provideService(Backend, service))
    })

  it.effect("at any point at which it waits changes no bit of what follows", () =>
    Effect.gen(function* () {
      const whole = yield* updates(undefined)
      // Four windows of the next update are read and one Program is run; each is entered and left.
      expect(whole.passed).toBe(10)
      // In the sample: the first two, one in the middle, the last two.
      const gates = full ? Array.from({ length: whole.passed }, (_, i) => i) : [0, 1, 6, 8, 9]
      for (const at of gates) {
        expect(yield* updates(at), `gate ${at}`).toMatchObject({ state: whole.state, sha256: whole.sha256 })
      }
    })
  )
})
