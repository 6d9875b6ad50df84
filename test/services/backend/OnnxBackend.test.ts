/**
 * The ONNX backend on the CPU: the laws with one and two threads, and what only this backend has: devices, a free event
 * loop, memory, release. Oracles: the reference (in the contract), hand computation, clocks and the process's own counters.
 * Needs a CPU session. WebGPU is tested in its own process: onnx/webgpu.test.ts.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { Backend } from "../../../src/core/Backend.ts"
import { add, mul } from "../../../src/core/tensor/ops/elementwise.ts"
import { matMul } from "../../../src/core/tensor/ops/matmul.ts"
import * as Program from "../../../src/core/tensor/Program.ts"
import { constant, scalar, type Tensor } from "../../../src/core/tensor/Tensor.ts"
import * as OnnxBackend from "../../../src/services/backend/OnnxBackend.ts"
import { backendContract } from "../../../src/testing/backend.ts"
import { loopTurns } from "../../work.ts"

backendContract("OnnxBackend on the CPU, 1 thread", OnnxBackend.layer({ device: "cpu", threads: 1 }))
backendContract("OnnxBackend on the CPU, 2 threads", OnnxBackend.layer({ device: "cpu", threads: 2 }))

const cpu = OnnxBackend.layer({ device: "cpu", threads: 1 })

const vector = (size: number) => ({ dtype: "float32", shape: [size] }) as const

/** s + x into the state, 2 (s + x) out. */
const accumulate = (size: number) =>
  Program.make({
    name: "accumulate",
    state: { s: vector(size) },
    inputs: { x: vector(size) },
    build: ({ s }, { x }) => {
      const next = add(s!, x!)
      return { state: { s: next }, outputs: { y: mul(scalar(2), next) } }
    }
  })

const started = (size: number) =>
  Effect.gen(function* () {
    const backend = yield* Backend
    const executable = yield* backend.compile({ accumulate: yield* accumulate(size) })
    yield* executable.writeState({ s: { ...vector(size), data: new Float32Array(size) } })
    return executable
  })

describe("OnnxBackend", () => {
  it.scoped("says what it runs on", () =>
    Effect.gen(function* () {
      const { info } = yield* Backend
      expect(info.device).toBe("cpu")
      expect(info.threads).toBe(1)
      expect(info.description).toMatch(/^onnxruntime-node \d+\.\d+\.\d+, CPUExecutionProvider, 1 thread$/)
    }).pipe(Effect.provide(cpu))
  )

  it.scoped("handles state that is passed through, written twice, constant, or only read; float64 is narrowed", () =>
    Effect.gen(function* () {
      const two = vector(2)
      const program = yield* Program.make({
        name: "odd",
        state: { a: two, b: two, c: two, d: two, unread: two },
        inputs: { x: two, unused: two },
        build: ({ a, b }, { x }) => {
          const sum = add(a!, x!)
          const ones = constant({ ...two, data: Float32Array.of(1, 1) })
          return { state: { a: b!, b: a!, c: sum, d: ones }, outputs: { sum, same: sum, x: x! } }
        }
      })
      const backend = yield* Backend
      const executable = yield* backend.compile({ odd: program })
      const value = (...data: ReadonlyArray<number>) => ({ ...two, data: Float64Array.from(data) })
      yield* executable.writeState({ a: value(1, 2), b: value(3, 4) })
      const out = yield* executable.run("odd", { x: value(10, 20), unused: value(0, 0) })
      const numbers = (datas: typeof out) => Object.fromEntries(Object.entries(datas).map(([k, v]) => [k, [...v.data]]))
      expect(numbers(out)).toEqual({ sum: [11, 22], same: [11, 22], x: [10, 20] })
      expect(numbers(yield* executable.readState(["a", "b", "c", "d"]))).toEqual({
        a: [3, 4],
        b: [1, 2],
        c: [11, 22],
        d: [1, 1]
      })
    }).pipe(Effect.provide(cpu))
  )

  it.scoped("writes a profile of each Program into the folder of the option `profile`", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "codex-profile-"))),
        (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
      )
      const x = { ...vector(1), data: Float32Array.of(1) }
      yield* Effect.flatMap(started(1), (executable) => executable.run("accumulate", { x })).pipe(
        Effect.scoped,
        Effect.provide(OnnxBackend.layer({ device: "cpu", threads: 1, profile: folder }))
      )
      const files = readdirSync(folder)
      expect(files).toEqual([expect.stringMatching(/^accumulate_.*\.json$/)])
      const events: ReadonlyArray<{ readonly args: { readonly op_name?: string } }> = JSON.parse(
        readFileSync(join(folder, files[0]!), "utf8")
      )
      expect(events.flatMap(({ args }) => args.op_name ?? [])).toEqual(expect.arrayContaining(["Add", "Mul"]))
    })
  )

  it.scoped("leaves the event loop free while a step runs", () =>
    Effect.gen(function* () {
      const type = { dtype: "float32", shape: [512, 512] } as const
      const power = (x: Tensor, times: number): Tensor =>
        times === 0 ? x : power(mul(matMul(x, x), scalar(1e-3)), times - 1)
      const heavy = yield* Program.make({
        name: "heavy",
        state: {},
        inputs: { x: type },
        build: (_, { x }) => ({ outputs: { y: power(x!, 60) } })
      })
      const backend = yield* Backend
      const executable = yield* backend.compile({ heavy })
      const x = { ...type, data: new Float32Array(512 * 512).fill(1e-3) }
      yield* executable.run("heavy", { x })
      // More than 60 ms. A computation on this thread would leave a few turns.
      expect(yield* loopTurns(executable.run("heavy", { x }))).toBeGreaterThan(100)
    }).pipe(Effect.provide(cpu))
  )

  it.scoped("keeps memory flat over many runs", () =>
    Effect.gen(function* () {
      const size = 250_000
      const executable = yield* started(size)
      const x = { ...vector(size), data: new Float32Array(size).fill(1) }
      const runs = (count: number) =>
        Effect.repeatN(executable.run("accumulate", { x }, []), count - 1).pipe(
          Effect.map(() => process.memoryUsage.rss() / 1e6)
        )
      const before = yield* runs(200)
      const after = yield* runs(400)
      // A leak of one tensor per run would be 400 MB.
      expect(after - before).toBeLessThan(100)
      expect((yield* executable.readState()).s!.data[0]).toBe(600)
    }).pipe(Effect.provide(cpu))
  )

  it.scoped("a run can fetch nothing, and runs at the same time are answered one after another", () =>
    Effect.gen(function* () {
      const executable = yield* started(1)
      const x = { ...vector(1), data: Float32Array.of(1) }
      const answers = yield* Effect.all(
        Array.from({ length: 20 }, () => executable.run("accumulate", { x })),
        { concurrency: "unbounded" }
      )
      expect(answers.map(({ y }) => y!.data[0])).toEqual(Array.from({ length: 20 }, (_, i) => 2 * (i + 1)))
      expect(yield* executable.run("accumulate", { x }, [])).toEqual({})
    }).pipe(Effect.provide(cpu))
  )

  it.effect("after the layer's scope has closed, the executable answers Closed and its thread is gone", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const backend = yield* Scope.extend(OnnxBackend.make({ device: "cpu", threads: 1 }), scope)
      const executable = yield* Effect.provideService(started(1), Backend, backend).pipe(
        Scope.extend(yield* Scope.make())
      )
      yield* Scope.close(scope, Exit.void)
      const error = yield* Effect.flip(executable.readState())
      expect(error.reason).toBe("Closed")
      expect(error.message).toContain("its scope was closed")
    })
  )

  it.effect("an interrupted start leaves nothing behind", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Effect.scoped(OnnxBackend.make({ device: "cpu", threads: 1 })))
      yield* Effect.yieldNow()
      const exit = yield* Fiber.interrupt(fiber)
      expect(exit._tag).toBe("Failure")
    })
  )

  it.effect("a named device that cannot start is an error with the reason and the remedy", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(OnnxBackend.make({ device: "dml" })))
      expect(error.message).toMatch(
        /^Device "dml" cannot start: .+ DirectML exists on Windows only; use device cpu\.$/s
      )
      expect(error.reason).toBe("Unavailable")
    })
  )

  const describeWith = (variables: ReadonlyArray<readonly [string, string]>) =>
    Effect.map(Backend, ({ info }) => info).pipe(
      Effect.provide(
        Layer.provide(OnnxBackend.layerConfig, Layer.setConfigProvider(ConfigProvider.fromMap(new Map(variables))))
      )
    )

  it.effect("layerConfig reads the device and the threads", () =>
    Effect.gen(function* () {
      const info = yield* describeWith([
        ["CODEX_DEVICE", "cpu"],
        ["CODEX_THREADS", "2"]
      ])
      expect(info).toMatchObject({ device: "cpu", threads: 2 })
      const wrongDevice = yield* Effect.flip(describeWith([["CODEX_DEVICE", "tpu"]]))
      expect(String(wrongDevice)).toContain("CODEX_DEVICE")
      for (const threads of ["0", "20000"]) {
        const wrongThreads = yield* Effect.flip(describeWith([["CODEX_THREADS", threads]]))
        expect(String(wrongThreads)).toContain("expected 1 or more threads")
      }
    })
  )

  it.effect("refuses a number of threads that is not one, on every device", () =>
    Effect.gen(function* () {
      for (const device of ["cpu", "wasm"] as const) {
        for (const threads of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 20_000]) {
          const error = yield* Effect.flip(OnnxBackend.make({ device, threads }))
          expect(error.message).toBe(`Wrong input for "threads": expected an integer ≥ 1 and ≤ 256, got ${threads}.`)
        }
      }
    }).pipe(Effect.scoped)
  )
})
