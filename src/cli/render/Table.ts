/**
 * Aligned blocks of plain text: tables, labels with values, commands to copy.
 *
 * Cells are strings; format numbers first (Format.ts). There are no colours and no frames, so the output can be piped.
 */

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
