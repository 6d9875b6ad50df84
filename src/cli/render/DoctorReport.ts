/**
 * What `codex doctor` prints: one table that fits a terminal of 80 columns. A remedy begins a line of its own below what is wrong.
 */
import type { Finding, Report } from "../../jobs/Doctor.ts"
import { bytes } from "./Format.ts"
import { table, terminalColumns, wrapped } from "./Table.ts"

/** The findings by group, and the devices that runs take. */
export const doctorReport = ({ chosen, codex, devices, folders, graphics, platform, software }: Report): string => {
  const groups: ReadonlyArray<readonly [title: string, findings: ReadonlyArray<Finding>]> = [
    ["software", [{ name: "codex", status: "ok", details: `${codex}, ${platform}` }, ...software]],
    ["devices", devices],
    ["graphics", graphics],
    [
      "folders",
      folders.map(({ freeBytes, ...folder }) =>
        freeBytes === undefined ? folder : { ...folder, details: `${folder.details}, ${bytes(freeBytes)} free` }
      )
    ]
  ]
  const names = groups.flatMap(([, findings]) => findings.map(({ name }) => indented(name).length))
  const statuses = Object.values(words).map((word) => word.length)
  const width = terminalColumns - Math.max(...names) - Math.max(...statuses) - 2 * "  ".length
  const rows = groups.flatMap(([title, findings]) => [[], [title], ...findings.flatMap((each) => rowsOf(each, width))])
  const body = table([{ title: "check" }, { title: "status" }, { title: "details" }], rows)
  return `${body}\n\n${wrapped(sentence(chosen))}`
}

const words: { readonly [S in Finding["status"]]: string } = {
  ok: "ok",
  warning: "warning",
  failed: "failed",
  absent: "-"
}

const indented = (name: string): string => `  ${name}`

const rowsOf = ({ details, name, remedy, status }: Finding, width: number): ReadonlyArray<ReadonlyArray<string>> =>
  [...linesOf(details, width), ...(remedy === undefined ? [] : linesOf(remedy, width))].map((line, i) =>
    i === 0 ? [indented(name), words[status], line] : ["", "", line]
  )

const sentence = ({ auto, default: device, variable }: Report["chosen"]): string => {
  const why = variable === undefined ? "" : ` (CODEX_DEVICE=${variable})`
  return `A run that names no device uses ${device}${why}. With backend.device=auto it uses ${auto}.`
}

/** Lines of at most `columns` characters. A word that is longer, such as a path, is cut. */
const linesOf = (text: string, columns: number): ReadonlyArray<string> =>
  wrapped(
    text
      .split(/\s+/)
      .join(" ")
      .replaceAll(new RegExp(`\\S{${columns}}(?=\\S)`, "gu"), "$& "),
    { columns }
  ).split("\n")
