/**
 * The backend that evaluates Programs in plain TypeScript, in float64: the oracle that other backends are compared with.
 *
 * Acquires nothing; state is held per `compile` and dropped with its scope. Slow on purpose, and it computes on the
 * calling thread: not for training. Numbers go in and come out as float64, so a comparison does not round twice.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Backend, BackendError, type Executable, type TensorDatas } from "../../core/Backend.ts"
import * as Reference from "../../core/tensor/Reference.ts"
import * as BackendCheck from "./BackendCheck.ts"

const compile: Backend.Service["compile"] = (programs) =>
  Effect.gen(function* () {
    const types = yield* BackendCheck.sharedState(programs)
    const state: { closed: boolean; values: Reference.NdArrays } = { closed: false, values: {} }
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        state.closed = true
        state.values = {}
      })
    )
    const open = (subject: string) =>
      Effect.suspend(() =>
        state.closed ? new BackendError({ reason: "Closed", subject, details: "its scope has ended." }) : Effect.void
      )

    const run: Executable<keyof typeof programs>["run"] = (name, values, fetch) =>
      Effect.gen(function* () {
        yield* open(name)
        const program = programs[name]
        yield* BackendCheck.inputs(program, values)
        const wanted = fetch ?? Object.keys(program.outputs)
        yield* BackendCheck.outputs(program, wanted)
        const missing = BackendCheck.usedBy(program).state.find((name) => state.values[name] === undefined)
        if (missing !== undefined) return yield* BackendCheck.neverWritten(missing)
        const result = yield* Effect.try({
          try: () => Reference.run(program, state.values, widen(values)),
          catch: (cause) => new BackendError({ reason: "Run", subject: name, details: String(cause), cause })
        })
        state.values = result.state
        return pick(result.outputs, wanted)
      })

    const readState: Executable["readState"] = (names = Object.keys(types)) =>
      Effect.gen(function* () {
        yield* open("state")
        yield* BackendCheck.stateNames(types, names)
        const missing = names.find((name) => state.values[name] === undefined)
        if (missing !== undefined) return yield* BackendCheck.neverWritten(missing)
        return pick(state.values, names)
      })

    const writeState: Executable["writeState"] = (values) =>
      Effect.gen(function* () {
        yield* open("state")
        yield* BackendCheck.stateValues(types, values)
        state.values = { ...state.values, ...widen(values) }
      })
    return { run, readState, writeState }
  })

/** Backend in plain TypeScript. */
export const layer: Layer.Layer<Backend> = Layer.succeed(Backend, {
  info: { device: "reference", threads: 1, description: "reference evaluation in float64, plain TypeScript" },
  compile
})

const widen = (values: TensorDatas): Reference.NdArrays =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Reference.fromData(value)]))

/** Copies: an operator may return its input's array, and what is handed out belongs to the caller. */
const pick = (values: Reference.NdArrays, names: ReadonlyArray<string>): TensorDatas =>
  Object.fromEntries(
    names.map((name) => {
      const { data, dtype, shape } = values[name]!
      return [name, { dtype, shape, data: data.slice() }]
    })
  )
