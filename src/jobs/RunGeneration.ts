/**
 * The job behind `codex generate`: text that goes on from a prompt, piece by piece as tokens arrive.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { TensorDatas } from "../core/Backend.ts"
import type { GenerationConfig } from "../core/config/RunConfig.ts"
import * as Generation from "../core/generation/Generation.ts"
import type { Architecture } from "../core/Model.ts"
import type { Tokenizer } from "../core/Tokenizer.ts"

export interface GenerateOptions {
  readonly architecture: Architecture
  readonly parameters: TensorDatas
  readonly tokenizer: Tokenizer.Service
  readonly config: GenerationConfig
  /** Told of each token, before its text is out. */
  readonly onToken?: Effect.Effect<void>
}

/**
 * The generated text without the prompt; never half a character. An empty prompt starts where a document starts. Ends
 * after `max_new_tokens`, at the end of the document, or before a stop text.
 */
export const generate = ({ architecture, config, onToken, parameters, tokenizer }: GenerateOptions) =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const generator = yield* Generation.make(architecture, parameters)
      const prompt = tokenizer.encode(config.prompt)
      const start = prompt.length > 0 ? prompt : Int32Array.of(tokenizer.endOfText ?? 0)
      const options = {
        temperature: config.temperature,
        topK: config.top_k,
        topP: config.top_p,
        repetitionPenalty: config.repetition_penalty,
        seed: config.seed
      }
      const tokens = generator.generate(start, options, tokenizer.endOfText).pipe(
        Stream.take(config.max_new_tokens),
        Stream.tap(() => onToken ?? Effect.void)
      )
      return tokenizer.decodeStream(tokens).pipe(Generation.untilStop(config.stop))
    })
  )
