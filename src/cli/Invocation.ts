/**
 * The command line that is being run, for those who write it down.
 */
import * as Context from "effect/Context"

export class Invocation extends Context.Tag("codex/cli/Invocation")<
  Invocation,
  {
    /** With its groups: `codex tokenizer train`. */
    readonly command: string
    /** The words after that. */
    readonly arguments: ReadonlyArray<string>
  }
>() {}
