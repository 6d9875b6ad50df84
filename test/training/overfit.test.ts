/**
 * Four sentences are learned by heart and said again: training, checkpoint on disk, and generation through the key/value
 * cache, all on a CPU session. Oracle: the sentences.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { afterAll, describe } from "vitest"
import * as Generation from "../../src/core/generation/Generation.ts"
import { Tokenizer } from "../../src/core/Tokenizer.ts"
import { CheckpointStore } from "../../src/core/training/Checkpoint.ts"
import * as Schedule from "../../src/core/training/Schedule.ts"
import * as Training from "../../src/core/training/Training.ts"
import { ByteTokenizer } from "../../src/plugins/tokenizers/byte.ts"
import * as Tiny from "./tiny.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-overfit-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const sentences = [
  "Call me Ishmael.",
  "It was the whiteness of the whale.",
  "All men live in whale-lines.",
  "Think not, is my eleventh law."
] as const

describe("a model that has seen four sentences often", () => {
  for (const family of ["gpt2", "llama"] as const) {
    it.effect(`has a loss below 0.05 and says them again (${family})`, () =>
      Effect.gen(function* () {
        const tokenizer = yield* Tokenizer
        const store = yield* CheckpointStore
        // One window from the first token to the last, so that nothing has to be predicted without its context.
        const tokens = Int32Array.from(sentences.flatMap((sentence) => [256, ...tokenizer.encode(sentence)]))
        const text = Tiny.tokenFile(tokens)
        const contextLength = tokens.length - 1
        const architecture = Tiny.architecture(
          {
            model_type: family,
            hidden_size: 32,
            num_hidden_layers: 1,
            num_attention_heads: 4,
            max_position_embeddings: tokens.length,
            tie_word_embeddings: true
          },
          tokenizer.vocabularySize
        )
        const steps = 220
        const events = yield* Tiny.eventsOf(
          {
            architecture,
            training: { context_length: contextLength, batch_size: 1, max_steps: steps, seed: 5 },
            optimizer: Tiny.optimizer(1),
            schedule: Schedule.warmup(1e-2, 10, Schedule.cosine(1e-2, 1e-4, steps - 10)),
            tokens: { train: text }
          },
          Training.steps().pipe(
            Training.evaluateEvery({ steps }),
            Training.checkpointEvery({ steps, directory: join(folder, family), keepLast: 1 })
          )
        )
        const losses = Tiny.losses(events)
        const evaluated = events.find((event) => event._tag === "Evaluated")
        expect(Math.abs(losses[0]! - Math.log(tokenizer.vocabularySize))).toBeLessThan(0.5)
        expect(losses.at(-1)!).toBeLessThan(0.05)
        expect(evaluated).toMatchObject({ accuracy: 1, tokens: tokens.length - 1 })
        expect(evaluated!.loss).toBeLessThan(0.05)

        const newest = yield* store.newest(join(folder, family))
        const generator = yield* Generation.make(architecture, newest!.checkpoint.parameters)
        const greedy = { temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 }
        const said = yield* generator
          .generate(tokens.subarray(0, 1), greedy)
          .pipe(Stream.take(tokens.length - 1), tokenizer.decodeStream, Stream.runCollect)
        expect(Chunk.join(said, "")).toBe(sentences.join(""))
        // From the middle of the second one on, to the end of its document.
        const start = 1 + sentences[0].length + 1 + 6
        const rest = yield* generator
          .generate(tokens.subarray(0, start), greedy, tokenizer.endOfText)
          .pipe(tokenizer.decodeStream, Stream.runCollect)
        expect(Chunk.join(rest, "")).toBe(sentences[1].slice(6))
      }).pipe(Effect.scoped, Effect.provide(Layer.merge(Tiny.cpu, ByteTokenizer.layer({}))))
    )
  }
})
