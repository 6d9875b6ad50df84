/**
 * The losses of four optimizer steps of a two-layer model, on whatever backend there is.
 *
 * As a program it prints them for WebGPU as one line of JSON; see test/services/backend/onnx/swiftshader.ts for the environment.
 */
import { pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import { Backend } from "../../src/core/Backend.ts"
import * as Training from "../../src/core/training/Training.ts"
import * as OnnxBackend from "../../src/services/backend/OnnxBackend.ts"
import { full } from "../full.ts"
import * as Tiny from "./tiny.ts"

export const families = ["gpt2", "llama"] as const

/** SwiftShader takes five seconds for a family. */
export const familiesOnGpu: ReadonlyArray<(typeof families)[number]> = full ? families : ["llama"]

export const lossesOf = (family: (typeof families)[number]) =>
  Effect.map(
    Tiny.eventsOf(
      {
        architecture: Tiny.architecture({
          model_type: family,
          num_hidden_layers: 2,
          num_attention_heads: 4,
          num_key_value_heads: family === "llama" ? 2 : 4,
          dropout: 0.1
        }),
        training: { max_steps: 4 }
      },
      Training.steps()
    ),
    Tiny.losses
  )

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const report = Effect.gen(function* () {
    const { info } = yield* Backend
    return { device: info.device, losses: yield* Effect.forEach(familiesOnGpu, lossesOf) }
  }).pipe(Effect.provide(OnnxBackend.layer({ device: "webgpu", threads: 1 })))
  process.stdout.write(`${JSON.stringify(await Effect.runPromise(report))}\n`)
}
