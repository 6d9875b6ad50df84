/**
 * A byte-level vocabulary and its merges: the content of a `tokenizer.json`, and what training gives.
 *
 * Tokens are in written form (ByteAlphabet.ts), one character a byte.
 */
import * as ByteAlphabet from "../../../core/tokenizer/ByteAlphabet.ts"
import type { Merge } from "./Merges.ts"

export interface Vocabulary {
  /** Written form of each ordinary token by id; holes where special tokens are. All 256 bytes are there. */
  readonly tokens: ReadonlyArray<string | undefined>
  readonly merges: ReadonlyArray<Merge & { readonly id: number }>
  readonly specialTokens: { readonly [token: string]: number }
}

/** The vocabulary of trained merges: bytes, then merges, then special tokens in the order given. */
export const fromMerges = (merges: ReadonlyArray<Merge>, specialTokens: ReadonlyArray<string>): Vocabulary => {
  const tokens = ByteAlphabet.bytesByCharacter.map((byte) => ByteAlphabet.byteToCharacter[byte]!)
  for (const { left, right } of merges) tokens.push(tokens[left]! + tokens[right]!)
  return {
    tokens,
    merges: merges.map((merge, i) => ({ ...merge, id: 256 + i })),
    specialTokens: Object.fromEntries(specialTokens.map((token, i) => [token, tokens.length + i]))
  }
}

/** Token id i is byte i, and no merges. */
export const fromBytes = (specialTokens: ReadonlyArray<string>): Vocabulary => ({
  tokens: ByteAlphabet.byteToCharacter,
  merges: [],
  specialTokens: Object.fromEntries(specialTokens.map((token, i) => [token, 256 + i]))
})
