/**
 * The ONNX backend on WebGPU: the laws, and that state on the device is disposed when it is replaced.
 * Oracle: the reference, in the contract. Needs WebGPU (../swiftshader.ts).
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Backend } from "../../../../../src/core/Backend.ts"
import { add } from "../../../../../src/core/tensor/ops/elementwise.ts"
import * as Program from "../../../../../src/core/tensor/Program.ts"
import * as OnnxBackend from "../../../../../src/services/backend/OnnxBackend.ts"
import { backendContract } from "../../../../../src/testing/backend.ts"

const webgpu = OnnxBackend.layer({ device: "webgpu", threads: 1 })

backendContract("OnnxBackend on WebGPU", webgpu)

describe("OnnxBackend on WebGPU", () => {
  it.scoped("disposes state that was replaced, by a run or a write", () =>
    Effect.gen(function* () {
      const size = 1_000_000
      const type = { dtype: "float32", shape: [size] } as const
      const program = yield* Program.make({
        name: "accumulate",
        state: { s: type },
        inputs: { x: { dtype: "float32", shape: [1] } },
        build: ({ s }, { x }) => ({ state: { s: add(s!, x!) }, outputs: {} })
      })
      const backend = yield* Backend
      expect(backend.info.device).toBe("webgpu")
      const executable = yield* backend.compile({ program })
      const x = { dtype: "float32", shape: [1], data: Float32Array.of(1) } as const
      const cycle = Effect.gen(function* () {
        yield* executable.writeState({ s: { ...type, data: new Float32Array(size) } })
        for (let i = 0; i < 3; i++) yield* executable.run("program", { x })
      })
      yield* Effect.repeatN(cycle, 19)
      const before = process.memoryUsage.rss() / 1e6
      yield* Effect.repeatN(cycle, 49)
      // 200 tensors of 4 MB: without disposal 800 MB of the software device's memory.
      expect(process.memoryUsage.rss() / 1e6 - before).toBeLessThan(150)
      const { s } = yield* executable.readState()
      expect([s!.data[0], s!.data[size - 1]]).toEqual([3, 3])
    }).pipe(Effect.provide(webgpu))
  )

  it.effect("refuses half precision on a device without shader-f16, when it starts", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(OnnxBackend.make({ device: "webgpu", precision: "float16" })))
      expect(error).toMatchObject({ reason: "Unavailable", subject: "webgpu" })
      expect(error.message).toMatch(
        /^Device "webgpu" cannot start: it has no half precision \(.* requires f16 .*[^.]\)\. Use backend\.precision=float32 /
      )
    })
  )

  it.scoped("returns the outputs that are requested, fewer after more and more after fewer", () =>
    Effect.gen(function* () {
      const type = { dtype: "float32", shape: [1] } as const
      const program = yield* Program.make({
        name: "fetch",
        state: { s: type },
        inputs: { x: type },
        build: ({ s }, { x }) => ({ state: { s: add(s!, x!) }, outputs: { a: add(x!, x!), b: add(s!, s!) } })
      })
      const executable = yield* (yield* Backend).compile({ program })
      yield* executable.writeState({ s: { ...type, data: Float32Array.of(0) } })
      const x = { ...type, data: Float32Array.of(1) }
      const runs = [undefined, ["b"], [], ["a"], undefined]
      const outputs = yield* Effect.forEach(runs, (fetch) => executable.run("program", { x }, fetch))
      expect(outputs.map((each) => Object.entries(each).map(([name, { data }]) => [name, ...data]))).toEqual([
        [
          ["a", 2],
          ["b", 0]
        ],
        [["b", 2]],
        [],
        [["a", 2]],
        [
          ["a", 2],
          ["b", 8]
        ]
      ])
    }).pipe(Effect.provide(webgpu))
  )

  it.scoped("keeps int32 and bool state", () =>
    Effect.gen(function* () {
      const types = { i: { dtype: "int32", shape: [2, 1] }, b: { dtype: "bool", shape: [3] } } as const
      const program = yield* Program.make({
        name: "keep",
        state: types,
        inputs: {},
        build: ({ b, i }) => ({ state: { i: add(i!, i!) }, outputs: { b: b! } })
      })
      const backend = yield* Backend
      const executable = yield* backend.compile({ program })
      yield* executable.writeState({
        i: { ...types.i, data: Int32Array.of(-3, 5) },
        b: { ...types.b, data: Uint8Array.of(1, 0, 1) }
      })
      const { b } = yield* executable.run("program", {})
      expect([...b!.data]).toEqual([1, 0, 1])
      const state = yield* executable.readState()
      expect([[...state.i!.data], [...state.b!.data]]).toEqual([
        [-6, 10],
        [1, 0, 1]
      ])
    }).pipe(Effect.provide(webgpu))
  )
})
