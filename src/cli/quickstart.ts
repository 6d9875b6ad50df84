/**
 * codex quickstart [--data 'path/*.txt'] [--resume] [key=value …]
 *
 *     $ codex quickstart
 *     …                       progress, loss curve, evaluation, generated text, and where everything is
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { lazyPrepared } from "./Lazy.ts"
import { overrides } from "./Options.ts"

const data = Options.text("data").pipe(
  Options.withDescription(
    "Your own text: a file, a folder or a pattern in quotes; may be repeated. Default: Moby-Dick"
  ),
  Options.repeated
)
const resume = Options.boolean("resume").pipe(
  Options.withDescription("Go on with the last quickstart that was stopped.")
)

export const quickstart = Command.make(
  "quickstart",
  { data, resume, overrides },
  lazyPrepared(() => import("./handlers/quickstart.ts"))
).pipe(
  Command.withDescription(
    "Text to tokenizer to model to evaluation to new text, in about three minutes. " +
      "Example: codex quickstart --data 'notes/*.txt'"
  )
)
