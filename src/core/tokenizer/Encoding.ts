/**
 * The tokens of a text or a pair of texts, with everything that a model or a reader asks about them.
 *
 * Named as in Hugging Face's Encoding. All arrays have one entry a token, offsets two.
 */
import * as Schema from "effect/Schema"

export interface Encoding {
  readonly ids: Int32Array
  /** Which sequence a token belongs to, as the model is told: 0 or 1 (`token_type_ids`). */
  readonly typeIds: Int32Array
  /** 1 for tokens that the tokenizer put around the text, 0 for those of the text. Padding is 1. */
  readonly specialTokensMask: Int32Array
  /** 1 for tokens, 0 for padding. */
  readonly attentionMask: Int32Array
  /** 0 for tokens of the text, 1 for those of its pair, −1 for special tokens and padding. */
  readonly sequenceIds: Int32Array
  /**
   * Token i stands for the UTF-16 units [offsets[2i], offsets[2i + 1]) of its text; parts of one character have all of it.
   * Special tokens and padding have 0, 0. Undefined when the tokenizer cannot tell.
   */
  readonly offsets: Int32Array | undefined
  /** What truncation cut off, in windows of at most the same length. */
  readonly overflowing: ReadonlyArray<Encoding>
}

/** What stands around one text, or around two: the tokens of sequence A or B, or special tokens. */
export interface Template {
  readonly single: ReadonlyArray<TemplatePiece>
  readonly pair: ReadonlyArray<TemplatePiece>
}

export type TemplatePiece =
  | { readonly _tag: "Sequence"; readonly id: "A" | "B"; readonly typeId: number }
  | { readonly _tag: "Special"; readonly ids: ReadonlyArray<number>; readonly typeId: number }

/** Ids of a text and where they come from, before anything is put around them. */
export interface TextTokens {
  readonly ids: Int32Array
  readonly offsets: Int32Array | undefined
}

export interface Truncation {
  /** Tokens of a result at most, special tokens included. */
  readonly maxLength: number
  /** The side that is cut off. Default "right". */
  readonly side?: "left" | "right"
  /** Tokens that a window of the overflow repeats of the one before. Default 0. */
  readonly stride?: number
  /** Of a pair, cut the longer one token by token, or only one of them. Default "longest_first". */
  readonly strategy?: "longest_first" | "only_first" | "only_second"
}

export interface Padding {
  /** To the longest of the batch, or to `maxLength`. */
  readonly to: "longest" | "max_length"
  /** Needed for "max_length". */
  readonly maxLength?: number
  /** The length is rounded up to a multiple of this. */
  readonly multipleOf?: number
  /** The side that is filled. Default "right". */
  readonly side?: "left" | "right"
  /** Default: the tokenizer's pad token, or its end-of-text token when it has none. */
  readonly padToken?: number
}

export interface EncodeOptions {
  /** Puts the tokenizer's special tokens around the text. Default true. */
  readonly addSpecialTokens?: boolean
  /** Special tokens that the text spells are ordinary text. Default true, unlike in Hugging Face's libraries. */
  readonly splitSpecialTokens?: boolean
  readonly truncation?: Truncation
}

export interface BatchOptions extends EncodeOptions {
  readonly padding?: Padding
  /** Exactly this many tokens for every text: truncation and padding to `max_length` in one word. */
  readonly padToMax?: number
  /** Windows of what truncation cut off become rows of their own. Default false: it is dropped. */
  readonly returnOverflowing?: boolean
}

/** Encodings of one length as matrices [batch, length] in row-major order, ready to be inputs of a Program. */
export interface Batch {
  readonly shape: readonly [batch: number, length: number]
  readonly inputIds: Int32Array
  readonly attentionMask: Int32Array
  readonly tokenTypeIds: Int32Array
  readonly specialTokensMask: Int32Array
  /** [batch, length, 2], or undefined when the tokenizer cannot tell. */
  readonly offsets: Int32Array | undefined
  /** The text that each row comes from: rows of overflow repeat it. */
  readonly sample: Int32Array
}

/** Options that no text can be encoded with: a length that special tokens fill, rows of several lengths, no pad token. */
export class EncodingError extends Schema.TaggedError<EncodingError>()("EncodingError", {
  option: Schema.String,
  details: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${this.option} ${this.details} ${this.remedy}`
  }
}
