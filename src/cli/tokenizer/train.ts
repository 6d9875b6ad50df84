/**
 * codex tokenizer train --data 'notes/*.txt' --vocab-size 2048 --out artifacts/tokenizers/notes
 *
 *     $ codex tokenizer train --algorithm bpe --vocab-size 2048 --data 'notes/*.txt' --out artifacts/tokenizers/notes
 *     2048 tokens from 12 files, 1.2 MB
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Arr from "effect/Array"
import * as Option from "effect/Option"
import { lazy } from "../Lazy.ts"
import { count, force } from "../Options.ts"
import { data, field } from "../TokenizerOptions.ts"

const sizesOf = (text: string): Option.Option<Arr.NonEmptyReadonlyArray<number>> => {
  const sizes = text.split(",").map((size) => (/^\s*\d+\s*$/.test(size) ? Number(size) : 0))
  return Arr.isNonEmptyReadonlyArray(sizes) && sizes.every((size) => size > 0 && Number.isSafeInteger(size))
    ? Option.some(sizes)
    : Option.none()
}

/** `nfkc,lowercase`, or the option repeated. */
const list = (name: string, description: string) =>
  Options.text(name).pipe(
    Options.withDescription(description),
    Options.repeated,
    Options.map((words) => words.flatMap((word) => word.split(",")).filter((word) => word.trim() !== ""))
  )

const options = {
  data,
  field,
  dataset: Options.text("dataset").pipe(
    Options.withDescription("A dataset plugin to take texts from, besides --data; its config is given by --set."),
    Options.optional
  ),
  set: Options.text("set").pipe(
    Options.withDescription("key=value of the dataset's config; the value is JSON or plain text. May be repeated."),
    Options.repeated
  ),
  algorithm: Options.text("algorithm").pipe(
    Options.withDescription("A tokenizer-trainer plugin: bpe, wordpiece, unigram, wordlevel, … Default: bpe"),
    Options.withDefault("bpe")
  ),
  vocabSize: Options.text("vocab-size").pipe(
    Options.withDescription(
      "Number of token ids, special tokens included. Several (2000,8000) are trained at once, each in a folder of its own below --out. Default: 4096"
    ),
    Options.filterMap(
      sizesOf,
      'Option "--vocab-size" must be a whole number from 1 on, or several with commas between.'
    ),
    Options.withDefault([4096] as const)
  ),
  out: Options.text("out").pipe(Options.withDescription("The folder for tokenizer.json and its manifest")),
  minFrequency: count("min-frequency").pipe(
    Options.withDescription("What is seen less often is not learned. Default: the algorithm's"),
    Options.optional
  ),
  specialToken: Options.text("special-token").pipe(
    Options.withDescription("A token that no text encodes to; may be repeated. Default: the algorithm's"),
    Options.repeated
  ),
  normalizer: list("normalizer", "nfc, nfd, nfkc, nfkd, lowercase, strip_accents: in this order; commas or repeated"),
  preTokenizer: list("pre-tokenizer", "gpt2, gpt4, o200k, whitespace, digits, metaspace, bert; commas or repeated"),
  byteFallback: Options.boolean("byte-fallback").pipe(
    Options.withDescription("Characters that are not in the vocabulary become tokens of their bytes.")
  ),
  limitAlphabet: count("limit-alphabet").pipe(
    Options.withDescription("Keep at most this many different characters. Default: all"),
    Options.optional
  ),
  force: force("Replace another tokenizer that is already in the folder."),
  dryRun: Options.boolean("dry-run").pipe(Options.withDescription("Show what would be done, and write nothing."))
}

export const train = Command.make(
  "train",
  options,
  lazy(() => import("../handlers/tokenizer-train.ts"))
).pipe(
  Command.withDescription(
    "Train a tokenizer on text; the same text and settings give the same files. " +
      "Example: codex tokenizer train --data 'notes/*.txt' --vocab-size 2048 --out artifacts/tokenizers/notes"
  )
)
