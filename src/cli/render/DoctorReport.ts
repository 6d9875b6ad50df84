/**
 * What `codex doctor` prints: one table that fits a terminal of 80 columns. A remedy begins a line of its own below what is wrong.
 */
import type { Finding, Report } from "../../jobs/Doctor.ts"
import { bytes } from "./Format.ts"
import { table } from "./Table.ts"

/** The width of the narrowest terminal. */
const columns = 80

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
  const width = columns - Math.max(...names) - Math.max(...statuses) - 2 * "  ".length
  const rows = groups.flatMap(([title, findings]) => [[], [title], ...findings.flatMap((each) => rowsOf(each, width))])
  const body = table([{ title: "check" }, { title: "status" }, { title: "details" }], rows)
  return `${body}\n\n${wrapped(sentence(chosen), columns).join("\n")}`
}

const words: { readonly [S in Finding["status"]]: string } = {
  ok: "ok",
  warning: "warning",
  failed: "failed",
  absent: "-"
}

const indented = (name: string): string => `  ${name}`

const rowsOf = ({ details, name, remedy, status }: Finding, width: number): ReadonlyArray<ReadonlyArray<string>> =>
  [...wrapped(details, width), ...(remedy === undefined ? [] : wrapped(remedy, width))].map((line, i) =>
    i === 0 ? [indented(name), words[status], line] : ["", "", line]
  )

const sentence = ({ auto, default: device, variable }: Report["chosen"]): string => {
  const why = variable === undefined ? "" : ` (CODEX_DEVICE=${variable})`
  return `A run that names no device uses ${device}${why}. With backend.device=auto it uses ${auto}.`
}

/** Lines of at most `width` characters. A word that is longer, such as a path, is cut. */
const wrapped = (text: string, width: number): ReadonlyArray<string> => {
  const pieces = text.split(/\s+/).flatMap((word) => word.match(new RegExp(`.{1,${width}}`, "gu")) ?? [])
  const lines: Array<string> = []
  for (const piece of pieces) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + piece.length > width) lines.push(piece)
    else lines[lines.length - 1] = `${last} ${piece}`
  }
  return lines
}
