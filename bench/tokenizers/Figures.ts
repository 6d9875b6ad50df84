/** Medians with their range, and ratios taken turn by turn. */

export const sorted = (values: ReadonlyArray<number>): ReadonlyArray<number> => [...values].sort((a, b) => a - b)

export const median = (values: ReadonlyArray<number>): number => {
  const ordered = sorted(values)
  return ordered[Math.floor(ordered.length / 2)] ?? Number.NaN
}

export const round = (value: number, digits = 2): number => Number(value.toFixed(digits))

/** `median (min–max)`. */
export const show = (values: ReadonlyArray<number>, digits = 2): string => {
  const ordered = sorted(values)
  return `${round(median(values), digits)} (${round(ordered[0] ?? Number.NaN, digits)}–${round(ordered.at(-1) ?? Number.NaN, digits)})`
}

/** The median of a[i] / b[i]. */
export const ratio = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): number =>
  round(median(a.map((value, i) => value / (b[i] ?? Number.NaN))))
