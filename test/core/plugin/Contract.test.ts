/**
 * What goes wrong in the code of another package is attributed to that package: for every kind, when its service is made and when
 * it is used. Oracle: the exceptions that the plugins here throw, and the types of the kinds.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Dataset } from "../../../src/core/Dataset.ts"
import { Metric } from "../../../src/core/Metric.ts"
import { Model } from "../../../src/core/Model.ts"
import * as Plugin from "../../../src/core/plugin/Plugin.ts"
import * as PluginGroup from "../../../src/core/plugin/PluginGroup.ts"
import { Registry } from "../../../src/core/plugin/Registry.ts"
import { Tokenizer } from "../../../src/core/Tokenizer.ts"
import { TokenizerTrainer } from "../../../src/core/TokenizerTrainer.ts"
import { Tracker } from "../../../src/core/Tracker.ts"

const boom = () => {
  throw new Error("boom")
}
/** JavaScript that the compiler never saw. */
const untyped = (value: unknown) => JSON.parse(JSON.stringify(value))

/** Uses the plugin "bad" of a package that was discovered. */
const using = <Name extends string, Id, Service, A, E>(
  kind: Plugin.Kind<Name, Id, Service>,
  make: () => Effect.Effect<Service>,
  use: (service: Service) => Effect.Effect<A, E, Scope.Scope>
) => {
  const plugin = Plugin.make(kind, "bad", { description: "", config: Schema.Struct({}), make })
  const found = {
    kind: kind.name,
    name: "bad",
    api: kind.api,
    origin: "codex-bad@1.0.0",
    description: "",
    load: Effect.succeed(plugin)
  }
  return Effect.flatMap(Registry, (registry) => registry.resolve(kind, "bad", {})).pipe(
    Effect.flatMap(use),
    Effect.scoped,
    Effect.provide(PluginGroup.make().layerWith([found])),
    Effect.exit,
    Effect.map((exit) => (Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit.value))
  )
}

const faultIn = (kind: string, member: string, details: string) => ({
  _tag: "PluginFault",
  message:
    `${kind} "bad" (codex-bad@1.0.0) failed in ${member}: ${details}. ` +
    "This is an error in codex-bad@1.0.0: report it to its author."
})

const metric = (overrides: Partial<Metric.Primitives>) => () =>
  Effect.succeed(
    Metric.make({
      name: "bad",
      unit: "",
      direction: "lower",
      size: 1,
      totals: ({ nats }) => [nats],
      result: ([nats = 0]) => nats,
      ...overrides
    })
  )
const sample = { nats: 1, tokens: 1, bytes: 1, correct: 0 }

const tokenizer = (overrides: Partial<Tokenizer.Service>) => () =>
  Effect.succeed(
    Tokenizer.make({
      vocabularySize: 2,
      encode: () => Int32Array.of(1),
      decode: () => Effect.succeed("a"),
      token: () => "a",
      ...overrides
    })
  )

const dataset = (documents: Dataset.Primitives["documents"]) => () => Dataset.make({ documents })
const read = (service: Dataset.Service) => Stream.runCollect(service.documents("train"))

describe("a plugin of another package", () => {
  it.effect("that throws when it is used is named, with the member and what it threw", () =>
    Effect.gen(function* () {
      const update = (service: Metric.Service) => Effect.sync(() => service.update(service.empty, sample))
      expect(yield* using(Metric.kind, metric({ totals: boom }), update)).toMatchObject(
        faultIn("metric", "update", "boom")
      )
      const text = () => {
        throw "no Error at all"
      }
      expect(
        yield* using(Metric.kind, metric({ result: text }), (m) => Effect.sync(() => m.result([1])))
      ).toMatchObject(faultIn("metric", "result", '"no Error at all"'))
      expect(
        yield* using(Tokenizer.kind, tokenizer({ encode: boom }), (t) => Effect.sync(() => t.encode("a")))
      ).toMatchObject(faultIn("tokenizer", "encode", "boom"))
      expect(
        yield* using(Tokenizer.kind, tokenizer({ decode: () => Effect.sync(boom) }), (t) => t.decode([1]))
      ).toMatchObject(faultIn("tokenizer", "decode", "boom"))
      expect(yield* using(Dataset.kind, dataset(boom), read)).toMatchObject(faultIn("dataset", "documents", "boom"))
      expect(
        yield* using(
          Dataset.kind,
          dataset(() => Stream.die(new Error("boom"))),
          read
        )
      ).toMatchObject(faultIn("dataset", "documents", "boom"))
      const identity = (service: Dataset.Service) => service.identity
      expect(yield* using(Dataset.kind, dataset(boom), identity)).toMatchObject(faultIn("dataset", "identity", "boom"))
      const throwing = dataset(() => Stream.map(Stream.make(1), boom))
      expect(yield* using(Dataset.kind, throwing, identity)).toMatchObject(faultIn("dataset", "identity", "boom"))
      const odd = dataset(() => Stream.make(untyped({ id: 1, text: "a" })))
      expect(yield* using(Dataset.kind, odd, identity)).toMatchObject({
        _tag: "PluginFault",
        details: expect.stringMatching(/, not DatasetIdentity$/)
      })
      const trainer = () => Effect.succeed(TokenizerTrainer.make({ vocabularySize: 2, trainSizes: boom }))
      expect(yield* using(TokenizerTrainer.kind, trainer, (t) => t.train(Stream.empty))).toMatchObject(
        faultIn("tokenizer-trainer", "train", "boom")
      )
      const model = () => Effect.succeed(Model.make({ name: "bad", contextLength: 4, architecture: boom }))
      expect(yield* using(Model.kind, model, (m) => m.architecture({ vocabularySize: 2 }))).toMatchObject(
        faultIn("model", "architecture", "boom")
      )
    })
  )

  it.effect("is named also for what it returned: an open tracker, an architecture", () =>
    Effect.gen(function* () {
      const run = { id: "r", directory: ".", config: {}, fromStep: 0 }
      const line = { step: 1, split: "train", values: {}, time: {} }
      const tracker = () => Tracker.make({ name: "bad", open: () => Effect.succeed(() => Effect.sync(boom)) })
      expect(
        yield* using(Tracker.kind, tracker, (t) => Effect.flatMap(t.open(run), (session) => session.log(line)))
      ).toMatchObject(faultIn("tracker", "log", "boom"))
      const model = () =>
        Effect.succeed(
          Model.make({ name: "bad", contextLength: 4, architecture: () => ({ parameters: {}, forward: boom }) })
        )
      expect(
        yield* using(Model.kind, model, (m) =>
          Effect.map(m.architecture({ vocabularySize: 2 }), (made) => made.forward({}, untyped({})))
        )
      ).toMatchObject(faultIn("model", "forward", "boom"))
    })
  )

  it.effect("that gives a value of another type is named, with the type that is expected", () =>
    Effect.gen(function* () {
      const update = (service: Metric.Service) => Effect.sync(() => service.update(service.empty, sample))
      expect(yield* using(Metric.kind, metric({ totals: () => untyped(["1"]) }), update)).toMatchObject(
        faultIn("metric", "update", 'it gave ["01"], not ReadonlyArray<number>')
      )
      expect(
        yield* using(Tokenizer.kind, tokenizer({ encode: () => untyped([1]) }), (t) => Effect.sync(() => t.encode("a")))
      ).toMatchObject(faultIn("tokenizer", "encode", "it gave [1], not Int32Array"))
      expect(
        yield* using(
          Dataset.kind,
          dataset(() => untyped(["text"])),
          read
        )
      ).toMatchObject({ _tag: "PluginFault" })
      expect(
        yield* using(
          Dataset.kind,
          dataset(() => Stream.make(untyped({ id: 1, text: "a" }))),
          read
        )
      ).toMatchObject(
        faultIn(
          "dataset",
          "documents",
          'it gave {"id":1,"text":"a"}, not { readonly id: string; readonly text: string }'
        )
      )
    })
  )

  it.effect("that makes no service does not start, and is named", () =>
    Effect.gen(function* () {
      const reason = (make: () => Effect.Effect<Tokenizer.Service>) =>
        Effect.map(
          using(Tokenizer.kind, make, () => Effect.void),
          (error) => (error instanceof Plugin.PluginInitError ? error.message : error)
        )
      const start = 'tokenizer "bad" (codex-bad@1.0.0) could not start: '
      expect(yield* reason(boom)).toBe(`${start}boom`)
      expect(yield* reason(() => Effect.die(new Error("boom")))).toBe(`${start}boom`)
      expect(yield* reason(() => untyped({}))).toBe(`${start}its make did not return an Effect`)
      expect(yield* reason(() => Effect.succeed(untyped(5)))).toBe(`${start}its make gave 5, which is not a service`)
      expect(yield* reason(() => Effect.succeed(untyped({ vocabularySize: 1 })))).toContain(
        `${start}its make gave a service without encode, `
      )
      expect(yield* reason(tokenizer({ vocabularySize: untyped("2") }))).toBe(
        `${start}its vocabularySize is "2", not Int`
      )
    })
  )

  it.effect("keeps its failures, its getters and its values", () =>
    Effect.gen(function* () {
      const error = new Tokenizer.UnknownTokenError({ id: 7, vocabularySize: 2 })
      expect(yield* using(Tokenizer.kind, tokenizer({ decode: () => error }), (t) => t.decode([7]))).toBe(error)
      let made = 0
      const lazy = () =>
        Effect.succeed(
          Tokenizer.make({
            vocabularySize: 2,
            encode: () => Int32Array.of(1),
            decode: () => Effect.succeed("a"),
            token: () => "a",
            get files() {
              made += 1
              return { "a.txt": "a" }
            }
          })
        )
      const use = (t: Tokenizer.Service) =>
        Effect.sync(() => {
          expect(made).toBe(0)
          return [t.files, [...t.encode("a")], t.vocabularySize]
        })
      expect(yield* using(Tokenizer.kind, lazy, use)).toEqual([{ "a.txt": "a" }, [1], 2])
    })
  )
})
