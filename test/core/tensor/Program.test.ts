/**
 * Programs: building, checking, running on the reference. Oracle: hand computation. Needs nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { reshape } from "../../../src/core/tensor/ops/broadcast.ts"
import { add, mul } from "../../../src/core/tensor/ops/elementwise.ts"
import * as Program from "../../../src/core/tensor/Program.ts"
import * as Reference from "../../../src/core/tensor/Reference.ts"
import { input, scalar, type TensorType } from "../../../src/core/tensor/Tensor.ts"

const pair: TensorType = { dtype: "float32", shape: [2] }
const nd = (...values: ReadonlyArray<number>) => ({ ...pair, data: Float64Array.from(values) })

const messageOf = <A>(program: Effect.Effect<A, { readonly message: string }>) =>
  Effect.map(Effect.flip(program), (error) => error.message)

describe("Program.make", () => {
  it.effect("distinguishes state and inputs, and runs as a function of both", () =>
    Effect.gen(function* () {
      const program = yield* Program.make({
        name: "accumulate",
        state: { x: pair, kept: pair },
        inputs: { x: pair },
        build: (state, inputs) => {
          const next = add(state.x!, inputs.x!)
          return { state: { x: next }, outputs: { doubled: mul(next, scalar(2)) } }
        }
      })
      expect(Program.faultOf(program)).toBeUndefined()
      const result = Reference.run(program, { x: nd(1, 2), kept: nd(7, 8) }, { x: nd(10, 20) })
      expect(Array.from(result.state.x!.data)).toEqual([11, 22])
      expect(Array.from(result.state.kept!.data)).toEqual([7, 8])
      expect(Array.from(result.outputs.doubled!.data)).toEqual([22, 44])
    })
  )

  it.effect("turns a shape error into a failure", () =>
    Effect.gen(function* () {
      const program = Program.make({
        name: "wrong",
        state: {},
        inputs: { x: pair },
        build: (_, { x }) => ({ outputs: { y: reshape(x!, [3]) } })
      })
      expect(yield* Effect.map(Effect.flip(program), (error) => error._tag)).toBe("ShapeError")
      expect(yield* messageOf(program)).toBe("reshape(float32[2]): 2 elements do not fill [3], which has 3")
    })
  )

  it.effect("leaves any other exception a defect", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        Program.make({
          name: "bug",
          state: {},
          inputs: {},
          build: () => {
            throw new TypeError("a bug")
          }
        })
      )
      expect(Exit.isFailure(exit) && Cause.isDie(exit.cause)).toBe(true)
    })
  )

  const built = (state: Program.TensorTypes, build: Program.Definition["build"]) =>
    messageOf(Program.make({ name: "p", state, inputs: { x: pair }, build }))

  it.effect("refuses state that is not declared, or of another type", () =>
    Effect.gen(function* () {
      expect(yield* built({}, (_, { x }) => ({ state: { s: x! }, outputs: {} }))).toBe(
        'Program "p": new state "s" is not declared in state'
      )
      expect(
        yield* built({ s: { dtype: "float32", shape: [3] } }, (_, { x }) => ({ state: { s: x! }, outputs: {} }))
      ).toBe('Program "p": state "s" is declared as float32[3] and written as float32[2]')
    })
  )

  it.effect("refuses a graph that reads what is not declared, or reads it as another type", () =>
    Effect.gen(function* () {
      expect(yield* built({}, () => ({ outputs: { y: input("input/z", "float32", [2]) } }))).toBe(
        'Program "p": the graph reads "input/z", which is not declared'
      )
      expect(yield* built({}, () => ({ outputs: { y: input("input/x", "int32", [2]) } }))).toBe(
        'Program "p": "input/x" is declared as float32[2] and read as int32[2]'
      )
    })
  )

  it.effect("refuses sizes that are not whole numbers", () =>
    Effect.gen(function* () {
      expect(yield* built({}, () => ({ outputs: { y: input("input/x", "float32", [1.5]) } }))).toBe(
        'Program "p": a tensor has the shape [1.5]'
      )
    })
  )
})
