/**
 * codex plugins list
 */
import * as Command from "@effect/cli/Command"
import { list } from "./plugins/list.ts"

export const plugins = Command.make("plugins").pipe(
  Command.withDescription("Show the available plugins. Example: codex plugins list"),
  Command.withSubcommands([list])
)
