/**
 * Times as people type them: `2026-11-24T13:00+01:00`, `2026-11-24`, `yesterday`, `2h`, `90 minutes ago`, `1764000000.5`.
 *
 * A time without a zone is read as UTC, and the result says so, because the user may have meant local time. Days begin at midnight
 * UTC. A duration counts back from now. The calendar is Gregorian, with the years 0000 to 9999; a leap second is refused, since
 * seconds since 1970 cannot represent it. (Timestamp.ts reads the times in logs, which follow another grammar.)
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"

/** The result of `parse`. */
export interface ParsedTime {
  /** Seconds since 1970, with fractions. */
  readonly seconds: number
  /** The text has a date or a time of day without a zone. */
  readonly assumedUtc: boolean
}

/** The accepted forms, for messages and help. */
export const forms =
  "2026-11-24T13:00:00Z, the same with +01:00 or with no zone (UTC), 2026-11-24, now, today, yesterday, tomorrow, " +
  "30s, 15m, 2h, 3d, 1w (ago), or seconds since 1970"

/** A text that is not a time. */
export class TimeExpressionError extends Schema.TaggedError<TimeExpressionError>()("TimeExpressionError", {
  text: Schema.String,
  /** Why not, as a sentence, if there is more to say than that no form fits. */
  reason: Schema.optional(Schema.String)
}) {
  override get message() {
    const why = this.reason === undefined ? "" : ` ${this.reason}`
    return `${JSON.stringify(this.text)} is not a time.${why} Use one of: ${forms}.`
  }
}

/**
 * Parses a time. `now`, in seconds since 1970, is what relative times count from.
 *
 * @example
 *   parse("2026-11-24T14:00:00+01:00", now)   // { seconds: 1795525200, assumedUtc: false }
 *   parse("2 hours ago", 1795525200)          // { seconds: 1795518000, assumedUtc: false }
 */
export const parse = (text: string, now: number): Either.Either<ParsedTime, TimeExpressionError> => {
  const word = text.trim().toLowerCase()
  if (word === "now") return Either.right({ seconds: now, assumedUtc: false })
  const days = dayWords.get(word)
  if (days !== undefined)
    return Either.right({ seconds: (Math.floor(now / secondsADay) + days) * secondsADay, assumedUtc: true })
  if (/^-?\d+(\.\d+)?$/.test(word)) return number(text, Number(word))
  const [, size, unit] = span.exec(word) ?? []
  const seconds = unit === undefined ? undefined : unitOf(unit)
  if (seconds !== undefined) return Either.right({ seconds: now - Number(size) * seconds, assumedUtc: false })
  return instant(text, word)
}

const secondsADay = 86_400

const dayWords: ReadonlyMap<string, number> = new Map([
  ["today", 0],
  ["yesterday", -1],
  ["tomorrow", 1]
])

const span = /^(\d+(?:\.\d+)?) ?([a-z]+?)(?: +ago)?$/

const unitOf = (name: string): number | undefined => units.find(([names]) => names.test(name))?.[1]

const units: ReadonlyArray<readonly [names: RegExp, seconds: number]> = [
  [/^s(ec|ecs|econd|econds)?$/, 1],
  [/^m(in|ins|inute|inutes)?$/, 60],
  [/^h(r|rs|our|ours)?$/, 3600],
  [/^d(ay|ays)?$/, secondsADay],
  [/^w(k|ks|eek|eeks)?$/, 7 * secondsADay]
]

/** The first second after the year 9999. */
const end = 253_402_300_800

const number = (text: string, seconds: number): Either.Either<ParsedTime, TimeExpressionError> =>
  Math.abs(seconds) < end
    ? Either.right({ seconds, assumedUtc: false })
    : refused(text, "As seconds since 1970 it is after the year 9999; divide milliseconds by 1000.")

const date = /(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)/
const clock = /(?<hour>\d\d):(?<minute>\d\d)(?::(?<second>\d\d)(?:[.,](?<fraction>\d+))?)?/
const zone = /(?<zone>z|utc|(?<sign>[+-])(?<zoneHour>\d\d)(?::?(?<zoneMinute>\d\d))?)/
const form = new RegExp(`^${date.source}(?:(?:t| +)${clock.source}(?: ?${zone.source})?)?$`)

const instant = (text: string, word: string): Either.Either<ParsedTime, TimeExpressionError> => {
  const parts = form.exec(word)?.groups
  if (parts === undefined) return refused(text)
  const [year, month, day] = [Number(parts.year), Number(parts.month), Number(parts.day)]
  const midnight = new Date(0)
  midnight.setUTCFullYear(year, month - 1, day)
  // Date turns 2026-02-30 into March 2.
  if (midnight.getUTCMonth() !== month - 1 || midnight.getUTCDate() !== day)
    return refused(text, "The calendar does not have this day.")
  const [hour, minute, second] = [Number(parts.hour ?? 0), Number(parts.minute ?? 0), Number(parts.second ?? 0)]
  const [zoneHour, zoneMinute] = [Number(parts.zoneHour ?? 0), Number(parts.zoneMinute ?? 0)]
  if (hour > 23 || minute > 59 || second > 59) return refused(text, "The time of day is from 00:00:00 to 23:59:59.")
  if (zoneHour > 23 || zoneMinute > 59) return refused(text, "The offset is at most 23:59.")
  const offset = (parts.sign === "-" ? -60 : 60) * (zoneHour * 60 + zoneMinute)
  const whole = midnight.getTime() / 1000 + hour * 3600 + minute * 60 + second - offset
  return Either.right({
    seconds: decimal(whole, parts.fraction ?? "0"),
    assumedUtc: parts.zone === undefined
  })
}

/** The double nearest to the decimal number, which the sum of two doubles may not be; before 1970 this holds for milliseconds. */
const decimal = (whole: number, fraction: string): number =>
  whole < 0 ? (whole * 1000 + Number(`0.${fraction}e3`)) / 1000 : Number(`${whole}.${fraction}`)

const refused = (text: string, reason?: string): Either.Either<never, TimeExpressionError> =>
  Either.left(new TimeExpressionError({ text, ...(reason === undefined ? {} : { reason }) }))
