/**
 * Times as people type them. Oracles: a table of seconds from `date -u -d … +%s` of GNU coreutils, the number of days of each
 * month as everybody learns it, and JavaScript's own Date for the round trip.
 */
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import { parse } from "../../../src/services/logs/TimeExpression.ts"

/** 2026-11-24T13:08:34.500Z */
const now = 1795525714.5

const seconds = (text: string) => Either.map(parse(text, now), (time) => time.seconds)

describe("a time", () => {
  it.each([
    ["2026-11-24T13:08:34Z", 1795525714, false],
    ["2026-11-24t13:08:34z", 1795525714, false],
    ["2026-11-24 13:08:34 UTC", 1795525714, false],
    [" 2026-11-24T13:08:34.25Z ", 1795525714.25, false],
    ["2026-11-24T13:08:34,25Z", 1795525714.25, false],
    ["2026-11-24T13:08Z", 1795525680, false],
    ["2026-11-24T14:08:34+01:00", 1795525714, false],
    ["2026-11-24T14:08:34+0100", 1795525714, false],
    ["2026-11-24 14:08:34 +01", 1795525714, false],
    ["2026-11-24T07:38:34-05:30", 1795525714, false],
    ["2026-11-24T13:08:34", 1795525714, true],
    ["2026-11-24 13:08", 1795525680, true],
    ["2026-11-24", 1795478400, true],
    ["1970-01-01", 0, true],
    ["1969-12-31T23:59:59.5Z", -0.5, false],
    ["0001-01-01T00:00:00Z", -62135596800, false],
    ["9999-12-31T23:59:59Z", 253402300799, false],
    ["now", now, false],
    ["today", 1795478400, true],
    ["Yesterday", 1795392000, true],
    ["tomorrow", 1795564800, true],
    ["30s", now - 30, false],
    ["15m", now - 900, false],
    ["2h", now - 7200, false],
    ["1.5h", now - 5400, false],
    ["3d", now - 259200, false],
    ["1w", now - 604800, false],
    ["2 hours ago", now - 7200, false],
    ["1 hour ago", now - 3600, false],
    ["90 minutes", now - 5400, false],
    ["0s", now, false],
    ["1764000000", 1764000000, false],
    ["1764000000.5", 1764000000.5, false],
    ["-1.5", -1.5, false],
    ["0", 0, false]
  ])("%j is %d", (text, expected, assumedUtc) =>
    expect(parse(text, now)).toEqual(Either.right({ seconds: expected, assumedUtc }))
  )

  it.each([
    ["", undefined],
    ["soon", undefined],
    ["2h30m", undefined],
    ["5 parsecs", undefined],
    ["2 months", undefined],
    ["-2h", undefined],
    ["1e9", undefined],
    ["Infinity", undefined],
    ["13:00", undefined],
    ["2026-11", undefined],
    ["2026-11-24T13", undefined],
    ["2026-11-24T", undefined],
    ["24.11.2026", undefined],
    ["2026-11-24Z", undefined],
    ["2026-11-24T13:00Zfoo", undefined],
    ["2026-11-24T13:00\n2026-11-24T13:00", undefined],
    ["２０２６-11-24", undefined],
    ["constructor", undefined],
    ["__proto__", undefined],
    ["2026-02-30", "The calendar does not have this day."],
    ["2026-13-01", "The calendar does not have this day."],
    ["2026-00-10", "The calendar does not have this day."],
    ["2026-01-00T10:00Z", "The calendar does not have this day."],
    ["1900-02-29", "The calendar does not have this day."],
    ["2026-11-24T24:00Z", "The time of day is from 00:00:00 to 23:59:59."],
    ["2026-11-24T23:60Z", "The time of day is from 00:00:00 to 23:59:59."],
    ["2016-12-31T23:59:60Z", "The time of day is from 00:00:00 to 23:59:59."],
    ["2026-11-24T13:00+24:00", "The offset is at most 23:59."],
    ["2026-11-24T13:00+01:60", "The offset is at most 23:59."],
    ["1764000000000", "As seconds since 1970 it is after the year 9999; divide milliseconds by 1000."]
  ])("%j is none", (text, reason) => {
    const result = parse(text, now)
    if (Either.isRight(result)) throw new Error(`taken as ${result.right.seconds}`)
    expect(result.left.reason).toBe(reason)
    expect(result.left.message).toBe(
      `${JSON.stringify(text)} is not a time.${reason === undefined ? "" : ` ${reason}`} Use one of: ` +
        "2026-11-24T13:00:00Z, the same with +01:00 or with no zone (UTC), 2026-11-24, now, today, yesterday, tomorrow, " +
        "30s, 15m, 2h, 3d, 1w (ago), or seconds since 1970."
    )
  })
})

describe("the calendar", () => {
  const lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
  const two = (value: number) => `${value}`.padStart(2, "0")

  it("has exactly its days, each 86,400 seconds after the one before", () => {
    // 1896 to 1904 and 1996 to 2004: a century that is not a leap year, and one that is.
    for (const [from, to, start] of [
      [1896, 1904, -2335219200],
      [1996, 2004, 820454400]
    ] as const) {
      let expected: number = start
      for (let year = from; year <= to; year += 1)
        for (const [month, length] of lengths.entries())
          for (let day = 1; day <= 31; day += 1) {
            const leap = month === 1 && (year % 400 === 0 || (year % 4 === 0 && year % 100 !== 0)) ? 1 : 0
            const found = seconds(`${year}-${two(month + 1)}-${two(day)}`)
            if (day > length + leap) expect(Either.isLeft(found), `${year}-${month + 1}-${day}`).toBe(true)
            else {
              expect(found).toEqual(Either.right(expected))
              expected += 86_400
            }
          }
    }
  })
})

describe("round trip", () => {
  const two = (value: number) => `${Math.trunc(value)}`.padStart(2, "0")
  const first = -62167219200000
  const last = 253402300799999

  it("any instant in any zone comes back to the millisecond", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.integer({ min: first + 86_400_000, max: last - 86_400_000 }),
        FastCheck.integer({ min: -1439, max: 1439 }),
        FastCheck.constantFrom("T", " "),
        FastCheck.constantFrom(":", ""),
        (millis, offset, between, colon) => {
          const local = new Date(millis + offset * 60_000).toISOString().slice(0, -1).replace("T", between)
          const size = Math.abs(offset)
          const zone = `${offset < 0 ? "-" : "+"}${two(size / 60)}${colon}${two(size % 60)}`
          expect(parse(local + zone, now)).toEqual(Either.right({ seconds: millis / 1000, assumedUtc: false }))
        }
      )
    )
  })

  it("seconds come back as they are", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.integer({ min: 0, max: 2 ** 41 }), (thousandths) => {
        expect(seconds(`${thousandths / 1000}`)).toEqual(Either.right(thousandths / 1000))
      })
    )
  })
})
