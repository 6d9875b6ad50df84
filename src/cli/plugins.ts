/**
 * codex plugins list [--kind tokenizer] [--json]
 *
 *     $ codex plugins list --kind model
 *     kind   name     from   description
 *     model  decoder  codex  transformer decoder: GPT-2 and Llama families by config
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { lazy } from "./Lazy.ts"
import { json } from "./Options.ts"

const kind = Options.text("kind").pipe(
  Options.withDescription("Only plugins of this kind: tokenizer, model, dataset, metric, tracker, …"),
  Options.optional
)

const list = Command.make(
  "list",
  { kind, json },
  lazy(() => import("./handlers/plugins.ts"))
).pipe(
  Command.withDescription(
    "List the plugins that configs can name, built in and from packages of this project. " +
      "Example: codex plugins list --kind tokenizer"
  )
)

export const plugins = Command.make("plugins").pipe(
  Command.withDescription("What can be plugged in. Example: codex plugins list"),
  Command.withSubcommands([list])
)
