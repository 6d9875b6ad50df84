/**
 * State of which a run replaces rows, which the worker writes in place. Oracle: the reference evaluation. Needs a CPU session.
 */
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Backend } from "../../../../src/core/Backend.ts"
import { splitRowUpdates } from "../../../../src/core/tensor/Lower.ts"
import { sum } from "../../../../src/core/tensor/ops/broadcast.ts"
import { writeRows } from "../../../../src/core/tensor/ops/gather.ts"
import * as Program from "../../../../src/core/tensor/Program.ts"
import * as Reference from "../../../../src/core/tensor/Reference.ts"
import type { TensorData } from "../../../../src/core/tensor/Tensor.ts"
import * as OnnxBackend from "../../../../src/services/backend/OnnxBackend.ts"

const float = (shape: ReadonlyArray<number>, from: number): TensorData => ({
  dtype: "float32",
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => from + i)
})
const at = (position: number): TensorData => ({ dtype: "int32", shape: [], data: Int32Array.of(position) })

const cacheShape = [2, 3, 5, 2]
const rowsShape = [2, 3, 2, 2]

const program = Program.make({
  name: "write",
  state: { cache: { dtype: "float32", shape: cacheShape }, other: { dtype: "float32", shape: [4, 1] } },
  inputs: {
    rows: { dtype: "float32", shape: rowsShape },
    one: { dtype: "float32", shape: [1, 1] },
    position: { dtype: "int32", shape: [] }
  },
  build: (state, { one, position, rows }) => {
    const cache = writeRows(state.cache!, rows!, position!)
    return { state: { cache, other: writeRows(state.other!, one!, position!) }, outputs: { total: sum(cache) } }
  }
})

layer(OnnxBackend.layer({ device: "cpu", threads: 1 }))("rows of state", (it) => {
  it.effect("become two outputs for each state, with one position for all", () =>
    Effect.gen(function* () {
      const { program: without, updates } = splitRowUpdates(yield* program)
      expect(Object.keys(without.nextState)).toEqual([])
      expect(Object.keys(without.outputs)).toEqual(["total", "position of cache", "rows of cache", "rows of other"])
      expect(updates.map(({ state }) => state)).toEqual(["cache", "other"])
    })
  )

  it.scoped("are written over several runs as the reference writes them", () =>
    Effect.gen(function* () {
      const built = yield* program
      const executable = yield* (yield* Backend).compile({ write: built })
      const start = { cache: float(cacheShape, 100), other: float([4, 1], 7) }
      yield* executable.writeState(start)
      let state: Reference.NdArrays = { cache: Reference.fromData(start.cache), other: Reference.fromData(start.other) }
      for (const position of [0, 3, 2]) {
        const inputs = {
          rows: float(rowsShape, -50 * (position + 1)),
          one: float([1, 1], -position),
          position: at(position)
        }
        const { total } = yield* executable.run("write", inputs)
        const expected = Reference.run(built, state, {
          rows: Reference.fromData(inputs.rows),
          one: Reference.fromData(inputs.one),
          position: Reference.fromData(inputs.position)
        })
        state = expected.state
        expect(total!.data[0]).toBe(expected.outputs.total!.data[0])
        const got = yield* executable.readState()
        expect([...got.cache!.data]).toEqual([...state.cache!.data])
        expect([...got.other!.data]).toEqual([...state.other!.data])
      }
    })
  )

  it.scoped("that do not fit fail the run and leave the state as it was", () =>
    Effect.gen(function* () {
      const executable = yield* (yield* Backend).compile({ write: yield* program })
      const start = { cache: float(cacheShape, 1), other: float([4, 1], 1) }
      yield* executable.writeState(start)
      for (const position of [-1, 4]) {
        const run = executable.run("write", {
          rows: float(rowsShape, 0),
          one: float([1, 1], 0),
          position: at(position)
        })
        expect((yield* Effect.flip(run)).reason).toBe("Run")
      }
      expect([...(yield* executable.readState(["cache"])).cache!.data]).toEqual([...start.cache.data])
    })
  )
})
