/**
 * Numbers as people read them: bytes, durations, counts with their nouns, losses. The same in every command.
 *
 * Output for machines (`--json`, metrics.ndjson) is not formatted here.
 */
import { plural } from "../../core/Plural.ts"

export { plural }

/** `1.7 GB`: decimal units, three significant digits. */
export const bytes = (count: number): string => scaled(count, 1000, ["B", "kB", "MB", "GB", "TB"], " ")

/** `10.7 M`, `850`: for parameters and tokens. */
export const count = (value: number): string => scaled(value, 1000, ["", "k", "M", "G", "T"], " ")

/** `830 ms`, `12.4 s`, `3 min 05 s`, `2 h 07 min`, `27 days 22 h`. Above a day, whole hours that have passed. */
export const duration = (millis: number): string => {
  if (!Number.isFinite(millis) || millis < 0) return "unknown"
  if (Math.round(millis) < 1000) return `${Math.round(millis)} ms`
  const tenths = Math.round(millis / 100)
  if (tenths < 600) return `${(tenths / 10).toFixed(1)} s`
  const seconds = Math.round(millis / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${pad(seconds % 60)} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`
  const hours = Math.floor(minutes / 60)
  return `${plural(Math.floor(hours / 24), "day")} ${hours % 24} h`
}

/** A measurement with `digits` significant digits: `2.083`, `0.0001500`, `1.50e-7`; `NaN` and `Infinity` as they are. */
export const number = (value: number, digits = 4): string => {
  if (!Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  if (size >= 10 ** digits && size < 1e15) return Math.round(value).toString()
  return size !== 0 && (size < 1e-4 || size >= 1e15) ? value.toExponential(digits - 1) : value.toPrecision(digits)
}

const pad = (value: number): string => value.toString().padStart(2, "0")

const scaled = (value: number, step: number, units: ReadonlyArray<string>, gap: string): string => {
  if (!Number.isFinite(value)) return String(value)
  let unit = 0
  let rest = value
  // 999.5 would be printed as 1000: it belongs to the next unit.
  while (Math.abs(rest) >= step - 0.5 && unit < units.length - 1) {
    rest /= step
    unit += 1
  }
  const text = unit === 0 && Number.isInteger(rest) ? rest.toString() : trimmed(rest)
  return units[unit] === "" ? text : `${text}${gap}${units[unit]}`
}

const trimmed = (value: number): string =>
  Math.abs(value) >= 99.95 ? value.toFixed(0) : Number(value.toPrecision(3)).toString()
