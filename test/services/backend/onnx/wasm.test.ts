/**
 * The device `wasm`, ONNX Runtime's WebAssembly build: the laws of a backend and of the operators, as on the native CPU.
 * Oracles: the reference evaluation, and package.json. Needs neither a GPU nor native code. In `npm test` operators take their
 * special points and one sample; `npm run test:full` takes all samples, with one and two threads.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { root } from "../../../../scripts/build.mjs"
import { operators } from "../../../../src/core/tensor/ops.ts"
import * as OnnxBackend from "../../../../src/services/backend/OnnxBackend.ts"
import { version } from "../../../../src/services/backend/onnx/OnnxRuntime.ts"
import { backendContract } from "../../../../src/testing/backend.ts"
import { operatorContract } from "../../../../src/testing/operators.ts"
import { full } from "../../../full.ts"

const wasm = (threads: number) => OnnxBackend.layer({ device: "wasm", threads })

backendContract("OnnxBackend on wasm, 1 thread", wasm(1))
backendContract("OnnxBackend on wasm, 2 threads", wasm(2))
operatorContract("ONNX on wasm, 1 thread", wasm(1), operators, [], full ? {} : { samples: 1 })
if (full) operatorContract("ONNX on wasm, 2 threads", wasm(2), operators)

it.scoped("says what it runs on", () =>
  Effect.gen(function* () {
    const { info } = yield* OnnxBackend.make({ device: "wasm", threads: 2 })
    expect(info).toEqual({
      device: "wasm",
      threads: 2,
      description: `onnxruntime-web ${version}, WebAssembly, 2 threads`
    })
  })
)

it("both builds of ONNX Runtime have the version that messages name", () => {
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  expect(dependencies["onnxruntime-web"]).toBe(version)
  expect(optionalDependencies["onnxruntime-node"]).toBe(version)
})
