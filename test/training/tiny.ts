/**
 * Small parts for the tests of training: tokens in memory, a decoder of some thousand parameters, a session on a backend.
 *
 * Nothing here is a test, and nothing is faked but the text's place: sessions, checkpoints and backends are the real ones.
 */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { TokenFile } from "../../src/core/data/TokenFile.ts"
import { adamw } from "../../src/core/tensor/Optimizer.ts"
import * as Schedule from "../../src/core/training/Schedule.ts"
import type { TrainEvent } from "../../src/core/training/TrainEvent.ts"
import { TrainingSession, type TrainingSessionOptions } from "../../src/core/training/TrainingSession.ts"
import { architectureOf } from "../../src/plugins/models/decoder/Architecture.ts"
import { DecoderConfig, resolve } from "../../src/plugins/models/decoder/DecoderConfig.ts"
import * as OnnxBackend from "../../src/services/backend/OnnxBackend.ts"
import * as CheckpointStore from "../../src/services/runs/CheckpointStore.ts"

/** Files and checkpoints. */
export const files = CheckpointStore.layer.pipe(Layer.provideMerge(NodeContext.layer))

/** Files, checkpoints, and one thread of the CPU. */
export const cpu = Layer.merge(files, OnnxBackend.layer({ device: "cpu", threads: 1 }))

export const tokenFile = (tokens: Int32Array): TokenFile => ({
  length: tokens.length,
  documents: 1,
  bytes: tokens.length,
  read: (position, length) => Effect.succeed(tokens.slice(position, position + length))
})

export const vocabularySize = 23

/** A text of period 11 over 7 letters: every window repeats tokens, and there is something to learn. */
export const periodic = (length: number): Int32Array => Int32Array.from({ length }, (_, i) => ((i % 11) * (i % 11)) % 7)

export const architecture = (config: Partial<typeof DecoderConfig.Encoded> = {}, vocabulary = vocabularySize) =>
  architectureOf(
    resolve(
      Schema.decodeSync(DecoderConfig)({
        model_type: "llama",
        hidden_size: 16,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        max_position_embeddings: 8,
        ...config
      })
    ),
    vocabulary
  )

export const optimizer = (maxGradNorm?: number) =>
  adamw({ beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxNorm: maxGradNorm })

/** Twelve steps of four windows of eight tokens, unless said otherwise. */
export const options = ({ training, ...over }: Partial<TrainingSessionOptions> = {}): TrainingSessionOptions => ({
  architecture: architecture(),
  optimizer: optimizer(1),
  schedule: Schedule.constant(1e-2),
  tokens: { train: tokenFile(periodic(400)), validation: tokenFile(periodic(60)) },
  training: {
    seed: 1,
    batch_size: 4,
    context_length: 8,
    ...(training?.epochs === undefined ? { max_steps: 12 } : {}),
    ...training
  },
  files: { "config.json": "{}\n" },
  provenance: { purpose: "test" },
  ...over
})

/** Builds a session and runs the Effect that the function makes with it. */
export const withSession = <A, E, R>(over: Partial<TrainingSessionOptions>, use: Effect.Effect<A, E, R>) =>
  Effect.flatMap(TrainingSession.make(options(over)), (session) =>
    Effect.provideService(use, TrainingSession, session)
  ).pipe(Effect.scoped)

/** All events of a stream over a session of these options. */
export const eventsOf = <E, R>(over: Partial<TrainingSessionOptions>, events: Stream.Stream<TrainEvent, E, R>) =>
  withSession(over, Effect.map(Stream.runCollect(events), Chunk.toReadonlyArray))

/** `Step 1`, `Evaluated 1`, …: what happened, in order. */
export const names = (events: ReadonlyArray<TrainEvent>): ReadonlyArray<string> =>
  events.map((event) => (event._tag === "Started" ? `Started ${event.fromStep}` : `${event._tag} ${event.step}`))

export const losses = (events: ReadonlyArray<TrainEvent>): ReadonlyArray<number> =>
  events.flatMap((event) => (event._tag === "Step" ? [event.loss] : []))

export const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex")
