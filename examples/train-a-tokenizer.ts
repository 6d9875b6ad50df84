/**
 * Train a tokenizer, tokenize a sentence with it, and encode texts to matrices for a model.
 *
 *     npx tsx examples/train-a-tokenizer.ts 'notes/*.txt' [size] [folder]
 *
 * Use `WordPieceTrainer`, `UnigramTrainer` or `WordLevelTrainer` instead of `BpeTrainer` for other algorithms; nothing else changes.
 * The directory opens in Hugging Face's libraries too.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Dataset, Environment, TextDataset } from "codex-ml"
import { BpeTrainer, HuggingFaceTokenizer, saveTokenizer, Tokenizer, TokenizerTrainer } from "codex-ml/tokenizers"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

const [paths = "README.md", size = "600", folder = "artifacts/tokenizers/example"] = process.argv.slice(2)

const train = Effect.gen(function* () {
  const dataset = yield* Dataset
  const trainer = yield* TokenizerTrainer
  const texts = dataset.documents("train").pipe(Stream.map(({ text }) => text))
  const { files, vocabularySize } = yield* trainer.train(texts)
  yield* saveTokenizer(folder, files)
  yield* Console.log(`${vocabularySize} tokens in ${folder}`)
}).pipe(
  Effect.provide([
    TextDataset.layer({ paths, validation: { fraction: 0 } }),
    BpeTrainer.layer({ vocab_size: Number(size), pre_tokenizer: "gpt4" })
  ])
)

const use = Effect.gen(function* () {
  const tokenizer = yield* Tokenizer
  const sentence = "Naïve, isn't it? 👍🏽"
  const { ids, offsets } = tokenizer.encodeWithOffsets(sentence)
  const pieces = Array.from(ids, (_, i) => sentence.slice(offsets?.[2 * i], offsets?.[2 * i + 1]))
  yield* Console.log(`${ids.length} tokens: ${JSON.stringify(pieces)}`)
  yield* Console.log(`and back: ${yield* tokenizer.decode(ids)}`)

  // Int32Arrays of shape [2, 8] in row-major order, ready to be inputs of a Program.
  const batch = yield* tokenizer.batch(["One text.", "Another one, which is cut if it is too long."], { padToMax: 8 })
  yield* Console.log(`shape ${batch.shape.join(" × ")}, mask ${batch.attentionMask.join(" ")}`)
}).pipe(Effect.provide(HuggingFaceTokenizer.layer({ path: folder })))

NodeRuntime.runMain(Effect.zipRight(train, use).pipe(Effect.provide(Environment.files())))
