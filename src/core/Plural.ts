/**
 * Counts with their nouns, for messages: `1 update`, `2 updates`, `0 files`.
 */

/** `text` is the number as it should be shown, `2.56 k` for 2560. A noun with an irregular plural gives both forms. */
export const plural = (
  count: number,
  noun: string | { readonly one: string; readonly other: string },
  text: string = count.toString()
): string => {
  const { one, other } = typeof noun === "string" ? { one: noun, other: `${noun}s` } : noun
  return `${text} ${count === 1 ? one : other}`
}
