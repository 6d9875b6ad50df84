/**
 * Results of jobs as text: evaluations as a table, and the lines that say where things are and what to try next.
 */
import type { Result } from "../../core/evaluation/Evaluation.ts"
import { number } from "./Format.ts"
import { table } from "./Table.ts"

/** `metric  value  ± stderr  unit` */
export const evaluationTable = (results: ReadonlyArray<Result>): string =>
  table(
    [{ title: "metric" }, { title: "value", align: "right" }, { title: "± stderr", align: "right" }, { title: "unit" }],
    results.map(({ metric, stderr, unit, value }) => [
      metric,
      number(value),
      Number.isFinite(stderr) ? number(stderr, 2) : "–",
      unit
    ])
  )

/** The same on one line: `bits_per_byte 1.925 ± 0.016 bits/byte, …` */
export const scores = (results: ReadonlyArray<Result>): string =>
  results
    .map(({ metric, stderr, unit, value }) => {
      const error = Number.isFinite(stderr) ? ` ± ${number(stderr, 2)}` : ""
      return `${metric} ${number(value)}${error} ${unit}`.trimEnd()
    })
    .join(", ")

/** Labels and values in two columns. */
export const facts = (rows: ReadonlyArray<readonly [label: string, value: string]>): string => {
  const width = Math.max(...rows.map(([label]) => label.length))
  return rows.map(([label, value]) => `${label.padEnd(width)}  ${value}`).join("\n")
}

/** Commands ready to copy. */
export const next = (commands: ReadonlyArray<string>): string =>
  `Next:\n${commands.map((command) => `  ${command}`).join("\n")}`

/** A word as a POSIX shell reads it back. */
export const quoted = (word: string): string =>
  /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
