/**
 * A loss curve in the terminal, drawn by asciichart with one point per column.
 *
 * A run has more steps than a terminal has columns, so neighbouring steps are averaged; picking single steps would show noise.
 */
import asciichart from "asciichart"
import { number } from "./Format.ts"

/** `values` in order, as a chart of at most `width` columns and `height` rows of characters; empty for no finite value. */
export const curve = (
  values: ReadonlyArray<number>,
  { width = 72, height = 12 }: { readonly width?: number; readonly height?: number } = {}
): string => {
  const finite = values.filter(Number.isFinite)
  if (finite.length === 0) return ""
  const labels = 9
  const chart = asciichart.plot(resample(finite, Math.max(2, width - labels)), {
    height: Math.max(1, height - 1),
    format: (value) => number(value).padStart(labels - 2)
  })
  return chart.replace(/ +$/gm, "")
}

/** Means of `count` stretches of equal length; the values themselves if there are at most `count`. */
export const resample = (values: ReadonlyArray<number>, count: number): ReadonlyArray<number> => {
  if (values.length <= count) return values
  return Array.from({ length: count }, (_, index) => {
    const from = Math.floor((index * values.length) / count)
    const stretch = values.slice(from, Math.floor(((index + 1) * values.length) / count))
    return stretch.reduce((sum, value) => sum + value, 0) / stretch.length
  })
}
