/** Trains a model on a text in memory and returns the SHA-256 of its parameters: the same in Node and in a browser. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Safetensors from "../../../src/core/tensor/Safetensors.ts"
import { TrainingSession } from "../../../src/core/training/TrainingSession.ts"
import { architectureOf } from "../../../src/plugins/models/decoder/Architecture.ts"
import { DecoderConfig, resolve } from "../../../src/plugins/models/decoder/DecoderConfig.ts"

/** What to train. `model` is the content of a file of configs/model, without the plugin's name. */
export const Task = Schema.Struct({
  model: Schema.Struct({}, { key: Schema.String, value: Schema.Unknown }),
  steps: Schema.Int,
  threads: Schema.Int
})

export const trainedHash = ({ model, steps }: typeof Task.Type) =>
  Effect.gen(function* () {
    const architecture = architectureOf(resolve(yield* Schema.decodeUnknown(DecoderConfig)(model)), 257)
    const text = Int32Array.from({ length: 4000 }, (_, i) => 97 + (((i % 11) * (i % 11)) % 26))
    const session = yield* TrainingSession.make({
      architecture,
      tokens: {
        train: {
          ...{ length: text.length, documents: 1, bytes: text.length },
          read: (position, length) => Effect.succeed(text.slice(position, position + length))
        }
      },
      training: { max_steps: steps, batch_size: 16 }
    })
    yield* Effect.repeatN(session.step, steps - 1)
    const { parameters } = yield* session.snapshot
    const bytes = new Blob([...Safetensors.encode(parameters)].map((piece) => new Uint8Array(piece)))
    const digest = yield* Effect.promise(async () => crypto.subtle.digest("SHA-256", await bytes.arrayBuffer()))
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("")
  }).pipe(Effect.scoped)
