/**
 * The device `wasm`, ONNX Runtime's WebAssembly build: the laws of a backend and of the operators, as on the native CPU.
 * Oracles: the reference evaluation and package.json. Its bits: training/threads.test.ts. Needs neither a GPU nor native
 * code. In `npm test` operators take their special points and one sample; `npm run test:full` takes all samples and threads.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { expect, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { root } from "../../../../scripts/build.mjs"
import { Backend } from "../../../../src/core/Backend.ts"
import { sum } from "../../../../src/core/tensor/ops/broadcast.ts"
import { mul } from "../../../../src/core/tensor/ops/elementwise.ts"
import { operators } from "../../../../src/core/tensor/ops.ts"
import * as Program from "../../../../src/core/tensor/Program.ts"
import { sizeOf } from "../../../../src/core/tensor/Tensor.ts"
import * as OnnxBackend from "../../../../src/services/backend/OnnxBackend.ts"
import { version } from "../../../../src/services/backend/onnx/OnnxRuntime.ts"
import { backendContract } from "../../../../src/testing/backend.ts"
import { operatorContract } from "../../../../src/testing/operators.ts"
import { full } from "../../../full.ts"

const wasm = (threads: number) => OnnxBackend.layer({ device: "wasm", threads })

backendContract("OnnxBackend on wasm, 2 threads", wasm(2))
if (full) backendContract("OnnxBackend on wasm, 1 thread", wasm(1))
operatorContract("ONNX on wasm, 1 thread", wasm(1), operators, [], full ? {} : { samples: 1 })
if (full) operatorContract("ONNX on wasm, 2 threads", wasm(2), operators)

it("both builds of ONNX Runtime have the version that messages name", () => {
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  expect(dependencies["onnxruntime-web"]).toBe(version)
  expect(optionalDependencies["onnxruntime-node"]).toBe(version)
})

const float = (shape: ReadonlyArray<number>) => ({ dtype: "float32", shape }) as const
const ones = (shape: ReadonlyArray<number>) => ({ ...float(shape), data: new Float32Array(sizeOf(shape)).fill(1) })

/** The sum of x · y over an n × n matrix, which is an intermediate value. */
const outer = (n: number) =>
  Program.make({
    name: "outer",
    state: {},
    inputs: { x: float([n, 1]), y: float([1, n]) },
    build: (_, { x, y }) => ({ outputs: { sum: sum(mul(x!, y!)) } })
  })

layer(wasm(1))("OnnxBackend on wasm", (it) => {
  it.effect("says what it runs on", () =>
    Effect.gen(function* () {
      expect((yield* Backend).info).toEqual({
        device: "wasm",
        threads: 1,
        precision: "float32",
        description: `onnxruntime-web ${version}, WebAssembly, 1 thread`
      })
    })
  )

  // The first size is more than 32 bits can count, the second is all that is addressable.
  for (const n of [40_000, 32_760]) {
    it.scoped(`has 4 GB: a value of ${n}² numbers is refused with the device's limit, and the next run works`, () =>
      Effect.gen(function* () {
        const executable = yield* (yield* Backend).compile({ outer: yield* outer(n), small: yield* outer(2) })
        const error = yield* Effect.flip(executable.run("outer", { x: ones([n, 1]), y: ones([1, n]) }))
        expect(error.message).toBe(
          '"outer" does not fit in the memory of the device: WebAssembly has at most 4 GB. ' +
            "Use a smaller model or batch (training.gradient_accumulation_steps divides a batch), or device cpu."
        )
        expect(error.reason).toBe("Memory")
        expect((yield* executable.run("small", { x: ones([2, 1]), y: ones([1, 2]) })).sum!.data[0]).toBe(4)
      })
    )
  }
})

/** A module with the instruction i32x4.relaxed_dot_i8x16_i7x16_add_s, from onnxruntime-web's own feature detection. */
const relaxed = Uint8Array.of(
  ...[
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0, 65, 1, 253, 15, 65, 2, 253, 15
  ],
  ...[65, 3, 253, 15, 253, 147, 2, 11]
)

// Relaxed instructions may round as the processor likes; all others are exact. Node 20 refuses a module that has one.
it.skipIf(WebAssembly.validate(relaxed))("the module has no relaxed SIMD instruction", () => {
  const module = createRequire(import.meta.url).resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm")
  expect(WebAssembly.validate(readFileSync(module))).toBe(true)
})
