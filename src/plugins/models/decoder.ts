/**
 * Model plugin `decoder`: causal language models of the GPT-2 and Llama families.
 *
 * The config is decoder/DecoderConfig.ts, the graph decoder/Architecture.ts. Presets are configs under configs/model/.
 */
import * as Effect from "effect/Effect"
import { Model, ModelError } from "../../core/Model.ts"
import * as Plugin from "../../core/plugin/Plugin.ts"
import { architectureOf } from "./decoder/Architecture.ts"
import { DecoderConfig, faultOf, resolve } from "./decoder/DecoderConfig.ts"

/** A causal transformer of the GPT-2 or Llama family. Its config has the names of Hugging Face's `config.json`. */
export const Decoder = Plugin.make(Model.kind, "decoder", {
  description: "causal transformer of the GPT-2 and Llama families",
  config: DecoderConfig,
  make: (config) => {
    const resolved = resolve(config)
    const fault = faultOf(resolved)
    if (fault !== undefined) return Effect.fail(new ModelError({ model: "decoder", ...fault }))
    return Effect.succeed(
      Model.make({
        name: "decoder",
        contextLength: resolved.contextLength,
        architecture: ({ vocabularySize }) => architectureOf(resolved, vocabularySize)
      })
    )
  }
})
