/**
 * Aligned blocks of plain text: tables, labels with values, commands to copy, and lines that are broken to fit a terminal.
 *
 * Cells are strings; format numbers first (Format.ts). There are no colours and no frames, so the output can be piped.
 */
import { stripVTControlCharacters } from "node:util"

export type Alignment = "left" | "right"

export interface Column {
  readonly title: string
  readonly align?: Alignment
}

/** Headings, then one line a row; lines are joined by newlines. A row that is too short is filled with empty cells. */
export const table = (columns: ReadonlyArray<Column>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const lines = [columns.map(({ title }) => title), ...rows]
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => width(line[index] ?? ""))))
  return lines
    .map((line) =>
      columns
        .map(({ align = "left" }, index) => {
          const cell = line[index] ?? ""
          const gap = " ".repeat(widths[index]! - width(cell))
          return align === "left" ? cell + gap : gap + cell
        })
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

/** Labels and values in two columns. */
export const facts = (rows: ReadonlyArray<readonly [label: string, value: string]>): string => {
  const width = Math.max(...rows.map(([label]) => label.length))
  return rows.map(([label, value]) => `${label.padEnd(width)}  ${value}`).join("\n")
}

/** Commands ready to copy. */
export const nextCommands = (commands: ReadonlyArray<string>): string =>
  `Next:\n${commands.map((command) => `  ${command}`).join("\n")}`

/** A word as a POSIX shell reads it back. */
export const shellWord = (word: string): string =>
  /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`

/** Code points, which is the number of cells for the scripts that headings and numbers use. */
const width = (text: string): number => [...text].length

/** The width of the narrowest terminal, in characters. */
export const terminalColumns = 80

/** How to break a line. */
export interface Wrapping {
  /** Spaces before each line but the first. Default: 0. */
  readonly indent?: number
  /** Where it may be broken. Default: at every space between words. */
  readonly spaces?: RegExp
  /** The most characters of a line that has more than one word. Default: `terminalColumns`. */
  readonly columns?: number
}

/** A line as several ones, joined by newlines. Colours count nothing. */
export const wrapped = (
  line: string,
  { columns = terminalColumns, indent = 0, spaces = /(?<=\S) / }: Wrapping = {}
): string => {
  if (line.length <= columns) return line
  const [first = "", ...words] = line.split(spaces)
  let [text, width] = [first, first.length]
  for (const word of words) {
    const size = word.includes("\u001b") ? stripVTControlCharacters(word).length : word.length
    const fits = width + 1 + size <= columns
    text += fits ? ` ${word}` : `\n${" ".repeat(indent)}${word}`
    width = fits ? width + 1 + size : indent + size
  }
  return text
}
