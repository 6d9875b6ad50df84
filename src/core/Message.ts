/**
 * Words of messages that depend on a number.
 */

/** `1 update`, `2 updates`, `0 entries`: a count with its noun. `many` is the plural when it is not the noun with an s. */
export const plural = (count: number, noun: string, many = `${noun}s`): string =>
  `${count} ${count === 1 ? noun : many}`
