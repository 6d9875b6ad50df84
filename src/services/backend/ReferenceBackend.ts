/**
 * The backend that evaluates Programs in plain TypeScript, in float64: the oracle that other backends are compared with.
 *
 * Acquires nothing; state is held per `compile` and dropped with its scope. Slow on purpose, and it computes on the
 * calling thread: not for training. Numbers go in and come out as float64, so a comparison does not round twice.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Backend, BackendError, type TensorDatas } from "../../core/Backend.ts"
import * as Reference from "../../core/tensor/Reference.ts"

/** Backend in plain TypeScript. */
export const layer: Layer.Layer<Backend> = Layer.sync(Backend, () =>
  Backend.make({
    info: { device: "reference", threads: 1, description: "reference evaluation in float64, plain TypeScript" },
    compile: (programs) =>
      Effect.sync(() => {
        let state: Reference.NdArrays = {}
        return {
          run: (name, inputs, fetch) =>
            Effect.try({
              try: () => {
                const result = Reference.run(programs[name]!, state, widen(inputs))
                state = result.state
                return copies(result.outputs, fetch)
              },
              catch: (cause) => new BackendError({ reason: "Run", subject: name, details: String(cause), cause })
            }),
          readState: (names) => Effect.sync(() => copies(state, names)),
          writeState: (values) =>
            Effect.sync(() => {
              state = { ...state, ...widen(values) }
            })
        }
      })
  })
)

const widen = (values: TensorDatas): Reference.NdArrays =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Reference.fromData(value)]))

/** Copies, because an operator may return the array of its input, and results belong to the caller. */
const copies = (values: Reference.NdArrays, names: ReadonlyArray<string>): TensorDatas =>
  Object.fromEntries(
    names.map((name) => {
      const { data, dtype, shape } = values[name]!
      return [name, { dtype, shape, data: data.slice() }]
    })
  )
