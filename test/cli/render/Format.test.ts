/**
 * Text of numbers, tables and curves. Oracle: written by hand; rounding at the edges of units.
 */
import { describe, expect, it } from "vitest"
import { curve, resample } from "../../../src/cli/render/Curve.ts"
import * as Format from "../../../src/cli/render/Format.ts"
import { table } from "../../../src/cli/render/Table.ts"

describe("Format", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1 kB"],
    [1_700_000_000, "1.7 GB"],
    [999_600, "1 MB"],
    [123_456, "123 kB"]
  ])("bytes(%d) is %s", (value, text) => expect(Format.bytes(value)).toBe(text))

  it.each([
    [850, "850"],
    [10_745_000, "10.7 M"],
    [13_300, "13.3 k"],
    [0.5, "0.5"]
  ])("count(%d) is %s", (value, text) => expect(Format.count(value)).toBe(text))

  it.each([
    [0, "0 ms"],
    [999.4, "999 ms"],
    [999.6, "1.0 s"],
    [12_400, "12.4 s"],
    [59_970, "1 min 00 s"],
    [185_000, "3 min 05 s"],
    [7_620_000, "2 h 07 min"],
    [86_369_000, "23 h 59 min"],
    [86_370_000, "1 day 0 h"],
    [129_600_000, "1 day 12 h"],
    [2_415_000_000, "27 days 22 h"],
    [2_412_000_000, "27 days 22 h"],
    [Number.POSITIVE_INFINITY, "unknown"]
  ])("duration(%d) is %s", (value, text) => expect(Format.duration(value)).toBe(text))

  it.each([
    [2.0834, "2.083"],
    [0.00015, "0.0001500"],
    [1.5e-7, "1.500e-7"],
    [123_456, "123456"],
    [0, "0.000"],
    [Number.NaN, "NaN"]
  ])("number(%d) is %s", (value, text) => expect(Format.number(value)).toBe(text))

  it.each([
    [0, "0 updates"],
    [1, "1 update"],
    [2, "2 updates"],
    [2560, "2560 updates"]
  ])("plural(%d) is %s", (value, text) => expect(Format.plural(value, "update")).toBe(text))

  it("plural takes the text of a number, and a noun whose plural is its own", () => {
    expect(Format.plural(2560, "token", Format.count(2560))).toBe("2.56 k tokens")
    expect(Format.plural(2, { one: "entry", other: "entries" })).toBe("2 entries")
    expect(Format.plural(1, { one: "entry", other: "entries" })).toBe("1 entry")
  })
})

describe("table", () => {
  it("aligns columns and fills short rows", () => {
    const text = table([{ title: "metric" }, { title: "value", align: "right" }], [["perplexity", "12.5"], ["bpb"]])
    expect(text).toBe("metric      value\nperplexity   12.5\nbpb")
  })
})

describe("curve", () => {
  it("averages neighbours where there are more values than columns", () => {
    expect(resample([1, 3, 5, 7, 9], 2)).toEqual([2, 7])
    expect(resample([1, 2], 2)).toEqual([1, 2])
  })

  it("starts at the first value and ends at the last, within its size", () => {
    const values = Array.from({ length: 500 }, (_, index) => 500 - index)
    const lines = curve(values, { width: 40, height: 8 }).split("\n")
    expect(lines).toHaveLength(8)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40)
    expect(lines[0]).toContain("┼")
    expect(lines.at(-1)).toMatch(/─$/)
  })

  it("is empty without a finite value", () => expect(curve([Number.NaN])).toBe(""))
})
