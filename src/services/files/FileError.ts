/**
 * The error of a file or directory that cannot be read, written or removed.
 *
 *     runs/eval/metrics.csv could not be written: there is no space left on the disk. Free some space.
 *
 * `FileError.from` translates what @effect/platform and Node report (core/data/FileFault.ts has the words).
 * Faults that codex itself finds are made with `new FileError`. Where a caller decides by the kind of fault, as for
 * checkpoints, there is a separate class.
 */
import * as Schema from "effect/Schema"
import * as FileFault from "../../core/data/FileFault.ts"

export type { FileOperation } from "../../core/data/FileFault.ts"

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
    return FileFault.sentence(this.path, this.operation, this)
  }

  /** Translates an error of @effect/platform or Node. `remedy` replaces the one that belongs to the code. */
  static from(path: string, operation: FileFault.FileOperation, remedy?: string): (cause: unknown) => FileError {
    return (cause) => {
      if (cause instanceof FileError) return cause
      const { code, details, remedy: known } = FileFault.of(cause)
      return new FileError({ path, operation, code, details, remedy: remedy ?? known, cause })
    }
  }
}
