/**
 * Encodings of several lengths as matrices of one: padding.
 */
import * as Either from "effect/Either"
import { type Batch, type BatchOptions, type Encoding, EncodingError, type Padding } from "./Encoding.ts"

/** `padToMax` in the words of the other options. */
export const expand = (options: BatchOptions): Either.Either<BatchOptions, EncodingError> => {
  const { padToMax: maxLength, ...rest } = options
  if (maxLength === undefined) return Either.right(rest)
  if (rest.truncation !== undefined && rest.truncation.maxLength !== maxLength) {
    return wrong(
      "padToMax",
      `is ${maxLength}, but truncation.maxLength is ${rest.truncation.maxLength}.`,
      "Give one of them, or the same length."
    )
  }
  return Either.right({
    ...rest,
    truncation: { ...rest.truncation, maxLength },
    padding: { ...rest.padding, to: "max_length", maxLength }
  })
}

/** One row for each encoding, and, when asked for, for each window of its overflow. Rows of equal length need no padding. */
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
      return yield* wrong("padding.padToken", "is needed: this tokenizer has no pad token.", "Give the id of a token.")
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
    return wrong("padding.multipleOf", `is ${multipleOf}.`, "Give a whole number of at least 1.")
  }
  const round = (length: number) => Math.ceil(length / multipleOf) * multipleOf
  if (to === "longest") return Either.right(round(longest))
  const wanted = maxLength ?? truncated
  if (wanted === undefined || !Number.isSafeInteger(wanted) || wanted < 1) {
    return wrong("padding.maxLength", "is needed to pad to max_length.", "Give a whole number of at least 1.")
  }
  return longest > round(wanted)
    ? wrong(
        "padding.maxLength",
        `is ${wanted}, but a text has ${longest} tokens.`,
        "Truncate to that length too, or use padToMax."
      )
    : Either.right(round(wanted))
}

const wrong = (option: string, details: string, remedy: string) =>
  Either.left(new EncodingError({ option, details, remedy }))
