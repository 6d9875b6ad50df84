/**
 * Times in logs, converted to seconds since 1970: in SQL, so that a database can filter and sort by them, and in TypeScript for
 * NDJSON. (Times that people type are in TimeExpression.ts.) Both follow the same rules:
 *
 * - a number is in seconds, milliseconds, microseconds or nanoseconds, by its magnitude: up to 1e11, 1e14, 1e17, 1e20;
 * - a text of digits is such a number;
 * - an ISO 8601 date, or date and time, separated by `T` or spaces; a fraction after `.` or `,`; `Z`, `UTC`, an offset
 *   (`+02:00`, `+0200`, `+02`) or nothing, which means UTC;
 * - anything else is not a time.
 */

/** ISO 8601 in UTC with milliseconds. */
export const isoOf = (seconds: number): string => new Date(Math.round(seconds * 1000)).toISOString()

/** Seconds since 1970, or null if the value is not a time. */
export const secondsOf = (value: unknown): number | null => {
  if (typeof value === "number") return inSeconds(value)
  if (typeof value !== "string") return null
  const text = value.trim()
  if (/^\d+\.?\d*$/.test(text)) return inSeconds(Number(text))
  const found = iso.exec(text)
  if (found === null) return null
  const [, year, month, day, hour = "0", minute = "0", second = "0", fraction = "", zone = "Z"] = found
  const numbers = [month, day, hour, minute, second].map(Number)
  if (numbers.some((number, i) => number < lowest[i]! || number > highest[i]!)) return null
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  date.setUTCHours(Number(hour), Number(minute), Number(second))
  return date.getTime() / 1000 - offsetOf(zone) + Number(`0${fraction.replace(",", ".")}`)
}

const iso =
  /^(\d{4})-(\d\d)-(\d\d)(?:(?:T| +)(\d\d)(?::(\d\d)(?::(\d\d)([.,]\d+)?)?)?)? *(Z|UTC|[+-]\d\d(?::?\d\d)?)?$/i
const lowest = [1, 1, 0, 0, 0]
const highest = [12, 31, 24, 59, 59]

const offsetOf = (zone: string): number => {
  const found = /^([+-])(\d\d):?(\d\d)?$/.exec(zone)
  if (found === null) return 0
  return (found[1] === "-" ? -1 : 1) * (Number(found[2]) * 3600 + Number(found[3] ?? 0) * 60)
}

const inSeconds = (value: number): number | null => {
  const unit = units.find(([largest]) => Math.abs(value) <= largest)
  return unit === undefined ? null : value / unit[1]
}

/** Larger numbers are milliseconds. */
export const largestSeconds = 1e11

const units = [
  [largestSeconds, 1],
  [1e14, 1e3],
  [1e17, 1e6],
  [1e20, 1e9]
] as const

/** The same as an SQL expression of a quoted column, REAL or NULL. */
export const sqlSeconds = (column: string): string => {
  const text = `trim(${column})`
  return `CASE typeof(${column}) WHEN 'integer' THEN ${sqlInSeconds(column)} WHEN 'real' THEN ${sqlInSeconds(column)} WHEN 'text' THEN CASE WHEN ${text} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' THEN ${sqlIso(text)} WHEN ${text} GLOB '[0-9]*' AND ${text} NOT GLOB '*[^0-9.]*' AND ${text} NOT GLOB '*.*.*' THEN ${sqlInSeconds(`CAST(${text} AS REAL)`)} END END`
}

const sqlInSeconds = (value: string): string =>
  `CASE ${units
    .map(
      ([largest, unit]) => `WHEN ${value} BETWEEN -${real(largest)} AND ${real(largest)} THEN ${value} / ${real(unit)}`
    )
    .join(" ")} END`

const real = (value: number): string => `${value.toExponential().replace("+", "")}`

/** The fraction is added separately: SQLite keeps only three digits of it. */
const sqlIso = (text: string): string => {
  const usual = `replace(replace(${text}, ',', '.'), 'UTC', 'Z')`
  const whole = `substr(${usual}, 1, 19) || ltrim(substr(${usual}, 20), '.0123456789')`
  const seconds = `coalesce(unixepoch(${whole}), unixepoch(${whole} || ':00'), unixepoch(substr(${whole}, 1, length(${whole}) - 2) || ':' || substr(${whole}, -2)))`
  return `${seconds} + CASE WHEN substr(${usual}, 20, 1) = '.' THEN CAST('0' || substr(${usual}, 20) AS REAL) ELSE 0.0 END`
}
