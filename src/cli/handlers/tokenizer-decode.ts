/**
 * Prints the text of token ids exactly, so that it can be piped; on a terminal a line break follows.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { UnknownToken } from "../../core/Tokenizer.ts"
import * as Layers from "../../jobs/Environment.ts"
import { openTokenizer } from "../../jobs/tokenizers/openTokenizer.ts"
import * as Input from "../Input.ts"
import { visible } from "../render/Tokens.ts"
import { pluginConfig } from "../TokenizerOptions.ts"
import { usageError } from "../UsageError.ts"

/** A word where a token id should be. */
export class TokenIdError extends Schema.TaggedError<TokenIdError>()("TokenIdError", {
  word: Schema.String,
  /** Which of the words it is, counted from 1. */
  position: Schema.Number,
  vocabularySize: Schema.Number
}) {
  override get message() {
    return (
      `Word ${this.position}, "${this.word}", is not a token id. ` +
      `Ids are whole numbers from 0 to ${this.vocabularySize - 1}, with spaces or commas between.`
    )
  }
}

export interface Options {
  readonly tokenizer: string
  readonly encoding: Option.Option<string>
  readonly ids: ReadonlyArray<string>
  readonly skipSpecialTokens: boolean
  readonly keepSpecialTokens: boolean
}

export const run = (options: Options) =>
  Effect.gen(function* () {
    if (options.skipSpecialTokens && options.keepSpecialTokens) {
      return yield* usageError("Special tokens can be skipped or kept, not both.")
    }
    const { tokenizer } = yield* openTokenizer(options.tokenizer, pluginConfig(options))
    const given = options.ids.length === 0 ? Option.none() : Option.some(options.ids.join(" "))
    const input = yield* Input.read({ text: given, file: Option.none() }, "token id")
    const ids = yield* idsOf(input, tokenizer.vocabularySize)
    const text = yield* options.keepSpecialTokens ? tokenizer.decodeWithSpecialTokens(ids) : tokenizer.decode(ids)
    yield* Effect.sync(() => process.stdout.write(process.stdout.isTTY ? `${text}\n` : text))
  }).pipe(Effect.scoped, Effect.provide([Layers.files(), Layers.registry()]))

/** Numbers between spaces and commas, in brackets or not. */
const idsOf = (
  input: string,
  vocabularySize: number
): Effect.Effect<ReadonlyArray<number>, TokenIdError | UnknownToken> =>
  Effect.gen(function* () {
    const words = input.split(/[\s,[\]]+/).filter((word) => word !== "")
    const ids: Array<number> = []
    for (const [i, word] of words.entries()) {
      if (!/^\d{1,15}$/.test(word)) {
        return yield* new TokenIdError({ word: visible(word.slice(0, 40)), position: i + 1, vocabularySize })
      }
      const id = Number(word)
      if (id >= vocabularySize) return yield* new UnknownToken({ id, vocabularySize })
      ids.push(id)
    }
    return ids
  })
