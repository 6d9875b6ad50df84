/**
 * The command line that is being run, for those who write it down.
 */
import type { ValidationError } from "@effect/cli/ValidationError"
import * as Context from "effect/Context"
import type { UsageError } from "./UsageError.ts"

export class Invocation extends Context.Tag("codex/cli/Invocation")<
  Invocation,
  {
    /** With its groups: `codex tokenizer train`. */
    readonly command: string
    /** The words after that. */
    readonly arguments: ReadonlyArray<string>
    /** What a person is told of a fault of this line. */
    readonly explain: (error: ValidationError) => UsageError
  }
>() {}
