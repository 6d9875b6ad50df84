/**
 * Batches: encodings of different lengths as matrices of one length, by padding.
 */
import * as Either from "effect/Either"
import { plural } from "../Plural.ts"
import { type EncodeOptions, type Encoding, EncodingError } from "./Encoding.ts"

/** How encodings are padded. */
export interface Padding {
  /** To the longest of the batch, or to `maxLength`. */
  readonly to: "longest" | "max_length"
  /** Required for "max_length". */
  readonly maxLength?: number
  /** The length is rounded up to a multiple of this. */
  readonly multipleOf?: number
  /** The side that is filled. Default "right". */
  readonly side?: "left" | "right"
  /** The id of the padding. Default: the tokenizer's pad token, or its end-of-text token. */
  readonly padToken?: number
}

/** Options of encoding a batch. */
export interface BatchOptions extends EncodeOptions {
  readonly padding?: Padding
  /** Gives every text exactly this many tokens: truncation and padding to `max_length` in one option. */
  readonly padToMax?: number
  /** Adds a row for each window of the tokens that truncation removed. Default false: they are dropped. */
  readonly returnOverflowing?: boolean
}

/** Encodings of one length as matrices [batch, length] in row-major order, for the inputs of a Program. */
export interface Batch {
  readonly shape: readonly [batch: number, length: number]
  readonly inputIds: Int32Array
  readonly attentionMask: Int32Array
  readonly tokenTypeIds: Int32Array
  readonly specialTokensMask: Int32Array
  /** [batch, length, 2], or undefined when the tokenizer does not know. */
  readonly offsets: Int32Array | undefined
  /** The index of the text of each row. Rows of overflow have the index of their text. */
  readonly sample: Int32Array
}

/** Replaces `padToMax` by the options that it means. */
export const expand = (options: BatchOptions): Either.Either<BatchOptions, EncodingError> => {
  const { padToMax: maxLength, ...rest } = options
  if (maxLength === undefined) return Either.right(rest)
  if (rest.truncation !== undefined && rest.truncation.maxLength !== maxLength) {
    return wrong(
      "padToMax",
      `is ${maxLength}, but truncation.maxLength is ${rest.truncation.maxLength}.`,
      "Use one of them, or the same length."
    )
  }
  return Either.right({
    ...rest,
    truncation: { ...rest.truncation, maxLength },
    padding: { ...rest.padding, to: "max_length", maxLength }
  })
}

/** One row for each encoding and, if requested, for each window of its overflow. */
export const stack = (
  encodings: ReadonlyArray<Encoding>,
  options: BatchOptions,
  padToken: number | undefined
): Either.Either<Batch, EncodingError> =>
  Either.gen(function* () {
    const rows = encodings.flatMap((encoding, sample) =>
      (options.returnOverflowing === true ? [encoding, ...encoding.overflowing] : [encoding]).map((row) => ({
        row,
        sample
      }))
    )
    const longest = rows.reduce((most, { row }) => Math.max(most, row.ids.length), 0)
    const padding = options.padding ?? { to: "longest" }
    const length = yield* lengthOf(padding, longest, options.truncation?.maxLength)
    const pad = padding.padToken ?? padToken
    if (pad === undefined && rows.some(({ row }) => row.ids.length < length)) {
      return yield* wrong(
        "padding.padToken",
        "is required: this tokenizer has no pad token.",
        "Set it to the id of a token."
      )
    }

    const matrix = (value = 0) => new Int32Array(rows.length * length).fill(value)
    const batch = {
      shape: [rows.length, length] as const,
      inputIds: matrix(pad),
      attentionMask: matrix(),
      tokenTypeIds: matrix(),
      specialTokensMask: matrix(1),
      offsets: rows.every(({ row }) => row.offsets !== undefined)
        ? new Int32Array(2 * rows.length * length)
        : undefined,
      sample: Int32Array.from(rows, ({ sample }) => sample)
    }
    for (const [i, { row }] of rows.entries()) {
      const at = i * length + (padding.side === "left" ? length - row.ids.length : 0)
      batch.inputIds.set(row.ids, at)
      batch.attentionMask.set(row.attentionMask, at)
      batch.tokenTypeIds.set(row.typeIds, at)
      batch.specialTokensMask.set(row.specialTokensMask, at)
      if (row.offsets !== undefined) batch.offsets?.set(row.offsets, 2 * at)
    }
    return batch
  })

const lengthOf = (
  { maxLength, multipleOf = 1, to }: Padding,
  longest: number,
  truncated: number | undefined
): Either.Either<number, EncodingError> => {
  if (!Number.isSafeInteger(multipleOf) || multipleOf < 1) {
    return wrong("padding.multipleOf", `is ${multipleOf}.`, "Use a whole number of at least 1.")
  }
  const round = (length: number) => Math.ceil(length / multipleOf) * multipleOf
  if (to === "longest") return Either.right(round(longest))
  const wanted = maxLength ?? truncated
  if (wanted === undefined || !Number.isSafeInteger(wanted) || wanted < 1) {
    return wrong("padding.maxLength", "is required to pad to max_length.", "Use a whole number of at least 1.")
  }
  return longest > round(wanted)
    ? wrong(
        "padding.maxLength",
        `is ${wanted}, but a text has ${plural(longest, "token")}.`,
        "Truncate to that length too, or use padToMax."
      )
    : Either.right(round(wanted))
}

const wrong = (option: string, details: string, remedy: string) =>
  Either.left(new EncodingError({ option, details, remedy }))
