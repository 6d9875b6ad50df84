/**
 * Why a file or directory could not be used, in words: what @effect/platform and Node report, for people.
 *
 *     metrics.ndjson could not be written: there is no space left on the disk. Free some space.
 *
 * It is the only place that knows the codes. Services have an error for such a fault (services/files/FileError.ts); plugins put it
 * into the error of their kind.
 */
import * as Predicate from "effect/Predicate"

/** What was tried. */
export type FileOperation = "read" | "write" | "remove"

/** A fault of a file. */
export interface FileFault {
  /** Node's code, such as `ENOENT`, if there is one. */
  readonly code: string | undefined
  /** Why, as the end of a sentence. */
  readonly details: string
  /** What to do, as a sentence. */
  readonly remedy: string
}

/** The fault that an error of @effect/platform or of Node stands for. */
export const of = (cause: unknown): FileFault => {
  const code = codeOf(cause)
  const known = code === undefined ? undefined : reports.get(code)
  return { code, details: known?.[0] ?? describe(cause, code), remedy: known?.[1] ?? "Check the path." }
}

/** The whole message: `x could not be written: there is no space left on the disk. Free some space.` */
export const sentence = (
  path: string,
  operation: FileOperation,
  { details, remedy }: Omit<FileFault, "code">
): string => `${path} could not be ${participles[operation]}: ${details}. ${remedy}`

/** Whether an error is one of the file system, of which the words are known. */
export const isFileFault = (cause: unknown): boolean => codeOf(cause) !== undefined

const participles = { read: "read", write: "written", remove: "removed" } as const

type Report = readonly [details: string, remedy: string]

const permission: Report = ["permission is denied", "Check its permissions and those of its directory."]

/** What each code means, and what to do. */
const reports: ReadonlyMap<string, Report> = new Map<string, Report>([
  ["ENOENT", ["there is no such file or directory", "Check the path."]],
  ["EEXIST", ["there is already a file or directory of that name", "Choose another path."]],
  ["ENOTDIR", ["a part of the path is not a directory", "Choose another path."]],
  ["EISDIR", ["it is a directory", "Name a file in it."]],
  ["ENOTEMPTY", ["the directory is not empty", "Choose another path."]],
  ["EACCES", permission],
  ["EPERM", permission],
  ["EROFS", ["the file system is read-only", "Choose another path."]],
  ["ENOSPC", ["there is no space left on the disk", "Free some space."]],
  ["EDQUOT", ["the disk quota is used up", "Free some space."]],
  ["EFBIG", ["the file is larger than the file system allows", "Choose another disk."]],
  ["EBUSY", ["it is in use", "Wait until it is free."]],
  ["EMFILE", ["too many files are open", "Raise the limit (`ulimit -n`)."]],
  ["ENFILE", ["too many files are open on this machine", "Close other programs."]],
  ["ENOMEM", ["there is not enough memory", "Close other programs."]],
  ["ETXTBSY", ["it is a program that is running", "Choose another path."]],
  ["ENXIO", ["there is no such device", "Choose another path."]],
  ["ENODEV", ["there is no such device", "Choose another path."]],
  ["ESTALE", ["its network file system no longer has it", "Mount the file system again."]],
  ["ETIMEDOUT", ["its file system does not answer", "Check the network or the disk."]],
  ["ENOTSUP", ["the file system does not support it", "Choose another place."]],
  ["EOPNOTSUPP", ["the file system does not support it", "Choose another place."]],
  ["ENAMETOOLONG", ["the name is too long", "Choose a shorter path."]],
  ["ELOOP", ["its symbolic links form a loop", "Check the links."]],
  ["EIO", ["the disk reports an error", "Check the disk."]]
])

/** The code of a platform error that has lost the error of Node. */
const codesOfReasons: { readonly [reason: string]: string } = {
  NotFound: "ENOENT",
  AlreadyExists: "EEXIST",
  PermissionDenied: "EACCES",
  Busy: "EBUSY"
}

/** Codes of the system, and those of zlib (`Z_BUF_ERROR`). */
const codeOf = (cause: unknown): string | undefined => {
  if (!Predicate.isRecord(cause)) return undefined
  if (Predicate.isString(cause.code) && /^(E|Z_)[A-Z0-9_]+$/.test(cause.code)) return cause.code
  return codeOf(cause.cause) ?? (Predicate.isString(cause.reason) ? codesOfReasons[cause.reason] : undefined)
}

/** The words of the error itself, without the full stop that a message adds. */
const describe = (cause: unknown, code: string | undefined): string => {
  if (code?.startsWith("E") === true) return `the system reports ${code}`
  // What codex itself reports of a file (services/files/TextFile.ts).
  if (Predicate.isRecord(cause) && cause.reason === "InvalidData" && Predicate.isString(cause.description)) {
    return cause.description
  }
  return (cause instanceof Error && cause.message !== "" ? cause.message : String(cause)).replace(/\.$/, "")
}
