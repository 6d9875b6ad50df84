/**
 * The error of a file or directory that cannot be read, written or removed.
 *
 *     runs/eval/metrics.csv could not be written: there is no space left on the disk. Free some space.
 *
 * `FileError.from` translates what @effect/platform and Node report; it is the only place that knows their codes.
 * Faults that codex itself finds are made with `new FileError`. Where a caller decides by the kind of fault, as for
 * checkpoints, there is a separate class.
 */
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

/** What was tried when a file error occurred. */
export type FileOperation = "read" | "write" | "remove"

const participles = { read: "read", write: "written", remove: "removed" } as const

/** A file or directory that cannot be read, written or removed: which one, why, and what to do. */
export class FileError extends Schema.TaggedError<FileError>()("FileError", {
  /** The file or directory that the user knows, not a temporary one. */
  path: Schema.String,
  operation: Schema.Literal("read", "write", "remove"),
  /** Node's code, such as `ENOENT`, if there is one. */
  code: Schema.optional(Schema.String),
  /** Why, as the end of a sentence. */
  details: Schema.String,
  /** What to do, as a sentence. */
  remedy: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  override get message() {
    return `${this.path} could not be ${participles[this.operation]}: ${this.details}. ${this.remedy}`
  }

  /** Translates an error of @effect/platform or Node. `remedy` replaces the one that belongs to the code. */
  static from(path: string, operation: FileOperation, remedy?: string): (cause: unknown) => FileError {
    return (cause) => {
      if (cause instanceof FileError) return cause
      const code = codeOf(cause)
      const known = code === undefined ? undefined : reports.get(code)
      const details = known?.[0] ?? describe(cause)
      return new FileError({ path, operation, code, details, remedy: remedy ?? known?.[1] ?? "Check the path.", cause })
    }
  }
}

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

const codeOf = (cause: unknown): string | undefined => {
  if (!Predicate.isRecord(cause)) return undefined
  if (Predicate.isString(cause.code)) return cause.code
  return codeOf(cause.cause) ?? (Predicate.isString(cause.reason) ? codesOfReasons[cause.reason] : undefined)
}

/** The words of the error itself, without the full stop that the message adds. */
const describe = (cause: unknown): string =>
  (cause instanceof Error && cause.message !== "" ? cause.message : String(cause)).replace(/\.$/, "")
