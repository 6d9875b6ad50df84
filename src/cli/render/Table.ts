/**
 * Rows as aligned columns of plain text: headings, then one line a row, numbers to the right.
 *
 * Text that already is a string is set as it is; format numbers first (Format.ts). No colours, no frames: it can be piped.
 */

export type Alignment = "left" | "right"

export interface Column {
  readonly title: string
  readonly align?: Alignment
}

/** The table's lines joined by newlines. A row that is too short is filled with empty cells. */
export const table = (columns: ReadonlyArray<Column>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const lines = [columns.map(({ title }) => title), ...rows]
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => width(line[index] ?? ""))))
  return lines
    .map((line) =>
      columns
        .map(({ align = "left" }, index) => {
          const cell = line[index] ?? ""
          const gap = " ".repeat((widths[index] ?? 0) - width(cell))
          return align === "left" ? cell + gap : gap + cell
        })
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

/** Code points, which is the number of cells for the scripts that headings and numbers use. */
const width = (text: string): number => [...text].length
