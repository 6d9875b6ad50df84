/**
 * codex tokenizer train --data 'notes/*.txt' [--data more.txt] --vocab-size 2048 --out artifacts/tokenizers/notes
 *
 *     $ codex tokenizer train --data 'notes/*.txt' --vocab-size 2048 --out artifacts/tokenizers/notes
 *     2048 tokens from 12 documents, 1.2 MB. One token stands for 3.42 bytes of that text.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { lazy } from "./Lazy.ts"
import { count } from "./RunOptions.ts"

const data = Options.text("data").pipe(
  Options.withDescription("A file, a folder (its .txt files) or a pattern in quotes; may be repeated."),
  Options.atLeast(1)
)
const vocabSize = count("vocab-size").pipe(
  Options.withDescription("Number of token ids: 256 bytes, merges, and <|endoftext|>. Default: 4096"),
  Options.withDefault(4096)
)
const out = Options.text("out").pipe(Options.withDescription("The folder for tokenizer.json"))
const algorithm = Options.text("algorithm").pipe(
  Options.withDescription("A tokenizer-trainer plugin. Default: bpe"),
  Options.withDefault("bpe")
)
const minFrequency = count("min-frequency").pipe(
  Options.withDescription("A pair of tokens seen less often is not merged. Default: 2"),
  Options.withDefault(2)
)
const force = Options.boolean("force").pipe(
  Options.withDescription("Replace another tokenizer that is already in the folder.")
)

const train = Command.make(
  "train",
  { data, vocabSize, out, algorithm, minFrequency, force },
  lazy(() => import("./handlers/tokenizer-train.ts"))
).pipe(
  Command.withDescription(
    "Train a tokenizer on text; the same text gives the same file. " +
      "Example: codex tokenizer train --data 'notes/*.txt' --vocab-size 2048 --out artifacts/tokenizers/notes"
  )
)

export const tokenizer = Command.make("tokenizer").pipe(
  Command.withDescription(
    "Tokenizers. Example: codex tokenizer train --data 'notes/*.txt' --out artifacts/tokenizers/notes"
  ),
  Command.withSubcommands([train])
)
