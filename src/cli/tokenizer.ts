/**
 * codex tokenizer train | inspect | encode | decode | export | compare
 *
 * Each command is a file in tokenizer/.
 */
import * as Command from "@effect/cli/Command"
import { compare } from "./tokenizer/compare.ts"
import { decode } from "./tokenizer/decode.ts"
import { encode } from "./tokenizer/encode.ts"
import { exportCommand } from "./tokenizer/export.ts"
import { inspect } from "./tokenizer/inspect.ts"
import { train } from "./tokenizer/train.ts"

export const tokenizer = Command.make("tokenizer").pipe(
  Command.withDescription(
    "Train, inspect and use tokenizers. Example: codex tokenizer train --data 'notes/*.txt' --out artifacts/tokenizers/notes"
  ),
  Command.withSubcommands([train, inspect, encode, decode, exportCommand, compare])
)
