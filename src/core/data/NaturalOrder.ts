/**
 * The order in which people count: `chapter_2` before `chapter_10`.
 *
 * Runs of digits compare as numbers of any length, everything else by UTF-16 code unit, so the order is the same on every
 * machine and in every language setting. Names that differ only in leading zeros compare by code unit.
 */

/** Compares two names, for `sort`. */
export const naturalOrder = (a: string, b: string): number => {
  const [left, right] = [parts(a), parts(b)]
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    // Splitting by a captured group puts the digits at odd places.
    const order = (i % 2 === 1 ? compareDigits : compareUnits)(left[i]!, right[i]!)
    if (order !== 0) return order
  }
  return left.length - right.length || compareUnits(a, b)
}

const parts = (name: string) => name.split(/([0-9]+)/)

const compareUnits = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

const compareDigits = (a: string, b: string) => {
  const [x, y] = [a.replace(/^0+/, ""), b.replace(/^0+/, "")]
  return x.length - y.length || compareUnits(x, y)
}
