/**
 * Chat templates: Jinja programs that write a conversation as the text a model was trained on.
 *
 * The interpreter is Hugging Face's own for JavaScript; it is loaded with the first conversation, and its errors, a
 * template's own `raise_exception` among them, become ChatTemplateError.
 */
import * as Effect from "effect/Effect"
import { ChatTemplateError, type Tokenizer } from "../../../core/Tokenizer.ts"
import type { Roles } from "../../../core/tokenizer/TokenizerFiles.ts"

const messageOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause))

export const make =
  (source: string, roles: Roles): Tokenizer.Service["applyChatTemplate"] =>
  (messages, options = {}) =>
    Effect.gen(function* () {
      const { Template } = yield* Effect.promise(() => import("@huggingface/jinja"))
      const template = yield* Effect.try({
        try: () => new Template(source),
        catch: (cause) =>
          new ChatTemplateError({
            details: `The chat template cannot be read (${messageOf(cause)}).`,
            remedy: "Mend the template in tokenizer_config.json, or in chat_template.jinja."
          })
      })
      return yield* Effect.try({
        try: () =>
          template.render({
            ...roles,
            messages,
            tools: options.tools ?? null,
            add_generation_prompt: options.addGenerationPrompt ?? false,
            ...options.variables
          }),
        catch: (cause) =>
          new ChatTemplateError({
            details: `The chat template refuses these messages (${messageOf(cause)}).`,
            remedy: "Give the roles, their order and the contents that the template expects."
          })
      })
    })
