/**
 * Load a tokenizer.json and encode texts to typed arrays: ids, mask and types of shape [texts, tokens], padded to the longest.
 *
 *     npx tsx examples/encode-a-batch.ts models/llama3/tokenizer.json
 *
 * `WordPieceTokenizer`, `TiktokenTokenizer`, `SentencePieceTokenizer` and others load other formats.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { HuggingFaceTokenizer, Tokenizer } from "codex-ml/tokenizers"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const program = Effect.gen(function* () {
  const tokenizer = yield* Tokenizer
  console.log(yield* tokenizer.batch(["One text.", "Another text, which is longer."]))
})
const layer = Layer.provide(HuggingFaceTokenizer.layer({ path: process.argv[2] ?? "." }), NodeContext.layer)
NodeRuntime.runMain(Effect.provide(program, layer))
