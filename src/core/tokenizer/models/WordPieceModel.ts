/**
 * WordPiece: the longest token that the word begins with, then repeatedly the longest token that continues it. Tokens inside a
 * word are written with a prefix. A word that tokens cannot represent in this way, or with too many characters, becomes one
 * unknown token. Source: Hugging Face tokenizers 0.23, models/wordpiece; Wu et al. 2016.
 */
import * as Either from "effect/Either"
import type * as TokenizerJson from "../TokenizerJson.ts"
import * as TokenModel from "./TokenModel.ts"
import * as Vocabulary from "./Vocabulary.ts"

/** The model that a file describes. With `byteLevel`, words are ordinary text and tokens represent their bytes. */
export const make = (
  spec: TokenizerJson.WordPiece,
  options: { readonly byteLevel: boolean }
): Either.Either<TokenModel.TokenModel, TokenizerJson.InvalidComponent> =>
  Either.gen(function* () {
    const vocabulary = yield* Vocabulary.read(spec.vocab)
    const unknown = yield* Vocabulary.unknownToken(vocabulary, spec.unk_token)
    const { idOf, tokens } = vocabulary
    const trie = Vocabulary.makeTrie(tokens.length)
    tokens.forEach((token, id) => {
      if (token?.isWellFormed()) trie.add(token, id)
    })
    const inside = trie.find(spec.continuing_subword_prefix)

    const segment: TokenModel.Segment = (text, start, end, output) => {
      const first = output.length
      if (!isLonger(text, start, end, spec.max_input_chars_per_word)) {
        let at = start
        while (at < end) {
          let id = -1
          let stop = at
          let node = at === start ? 0 : inside
          for (let i = at; i < end && node >= 0; i++) {
            node = trie.child(node, text.charCodeAt(i))
            const found = node < 0 ? -1 : trie.value(node)
            if (found < 0) continue
            id = found
            stop = i + 1
          }
          if (id < 0) break
          output.push(id, at - start, stop - start)
          at = stop
        }
        if (at === end) return
      }
      output.length = first
      output.push(unknown, 0, end - start)
    }

    return TokenModel.make({
      tokens,
      idOf,
      unknownToken: unknown,
      total: false,
      segment: options.byteLevel ? TokenModel.segmentBytes(segment) : segment
    })
  })

/** Whether a text has more than a number of characters. */
const isLonger = (text: string, start: number, end: number, characters: number): boolean => {
  if (end - start <= characters) return false
  let count = 0
  for (let i = start; i < end && count <= characters; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0xdc00 || unit > 0xdfff) count++
  }
  return count > characters
}
