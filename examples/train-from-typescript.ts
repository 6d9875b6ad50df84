/**
 * Train, evaluate and generate as a library: parts are Layers composed by hand, and the compiler checks that none is missing.
 *
 *     npx tsx examples/train-from-typescript.ts 'notes/*.txt' [steps] [directory]
 *
 * To replace a part, provide another Layer: BpeTokenizer.layer({ path }) for bytes, ReferenceBackend.layer for ONNX
 * Runtime. Checkpoints and metrics go to the directory, `runs/example` by default.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import {
  Dataset,
  Decoder,
  Environment,
  Generation,
  Model,
  Ndjson,
  OnnxBackend,
  Schedule,
  TextDataset,
  TokenCache,
  Tokenizer,
  Tracker,
  Training,
  TrainingSession
} from "codex-ml"
import { ByteTokenizer } from "codex-ml/tokenizers"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

const [paths = "README.md", count = "200", directory = "runs/example"] = process.argv.slice(2)
const steps = Number(count)

const parts = Layer.mergeAll(
  TextDataset.layer({ paths, validation: { fraction: 0.1 } }),
  ByteTokenizer.layer({}),
  Decoder.layer({
    model_type: "llama",
    hidden_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    max_position_embeddings: 64
  }),
  Ndjson.layer({}),
  OnnxBackend.layer({ threads: 1 })
).pipe(Layer.provideMerge(Environment.files()))

const prepare = Effect.gen(function* () {
  const tokenizer = yield* Tokenizer
  const cache = yield* TokenCache
  const dataset = yield* Dataset
  const model = yield* Model
  return {
    tokenizer,
    tokens: {
      train: yield* cache.open({ dataset, tokenizer, split: "train" }),
      validation: yield* cache.open({ dataset, tokenizer, split: "validation" })
    },
    architecture: yield* model.architecture({ vocabularySize: tokenizer.vocabularySize })
  }
})

const program = Effect.gen(function* () {
  const { architecture, tokenizer, tokens } = yield* prepare
  const session = yield* TrainingSession.make({
    architecture,
    tokens,
    tokenizer,
    schedule: Schedule.warmup(3e-3, 20, Schedule.cosine(3e-3, 3e-4, steps - 20)),
    training: { batch_size: 8, max_steps: steps, eval_windows: 50 }
  })
  const tracker = yield* (yield* Tracker).open({ id: "example", directory, config: {}, fromStep: 0 })

  // Training is a stream of events, and each feature is a combinator on it.
  yield* Training.steps().pipe(
    Training.evaluateEvery({ steps: 100 }),
    Training.earlyStop({ patience: 3 }),
    Training.checkpointEvery({ steps: 100, directory: `${directory}/checkpoints`, keepLast: 2 }),
    Training.track(tracker),
    Stream.runForEach((event) =>
      event._tag === "Evaluated"
        ? Console.log(`step ${event.step}: ${event.bitsPerByte.toFixed(3)} bits per byte on held-out text`)
        : event._tag === "CheckpointSaved"
          ? Console.log(`step ${event.step}: ${event.path}`)
          : Effect.void
    ),
    Effect.provideService(TrainingSession, session)
  )

  const { parameters } = yield* session.snapshot
  const generator = yield* Generation.make(architecture, parameters)
  const ids = generator
    .generate(tokenizer.encode("The "), { temperature: 0.8, topK: 50, topP: 0.95, repetitionPenalty: 1, seed: 1 })
    .pipe(Stream.take(80))
  yield* Console.log(`The ${yield* Stream.mkString(tokenizer.decodeStream(ids))}`)
})

NodeRuntime.runMain(program.pipe(Effect.scoped, Effect.provide(parts)))
