/**
 * One measurement in a separate process, whose crash or timeout is a result: a load, a long word or a training.
 *
 * Arguments: what, the engine's name, and for `load` and `word` a vocabulary as JSON, for `train` the text file and the
 * vocabulary size. The result is the last line of stdout, as JSON (the native trainer prints its own lines).
 */
import { readFile } from "node:fs/promises"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { TokenizerTrainer } from "../../src/core/TokenizerTrainer.ts"
import { BpeTrainer } from "../../src/plugins/tokenizers/bpe.ts"
import { ours, peers, prepare, type Vocabulary } from "./Peers.ts"

const [what, name, ...rest] = process.argv.slice(2)

const timed = async <A>(run: () => A | Promise<A>): Promise<readonly [number, A]> => {
  const from = performance.now()
  const result = await run()
  return [(performance.now() - from) / 1000, result]
}

const peer = [ours, ...peers].find((peer) => peer.name === name)
const engineOf = (vocabulary: Vocabulary) => peer?.load(vocabulary)

/** From nothing to the first id; engines are imported before, unless the vocabulary is in their module. */
const load = async (vocabulary: Vocabulary) => {
  if (peer?.jsonOnly && !("path" in vocabulary)) return { seconds: 0, tokens: 0 }
  await prepare(name ?? "")
  const [seconds, ids] = await timed(async () => (await engineOf(vocabulary))?.encode(["Call me Ishmael."]))
  return { seconds, tokens: ids?.length ?? 0 }
}

const word = async (vocabulary: Vocabulary) => {
  const engine = await engineOf(vocabulary)
  await engine?.encode(["Call me Ishmael."])
  const [seconds, ids] = await timed(() => engine?.encode(["a".repeat(1_000_000)]))
  return { seconds, tokens: ids?.length ?? 0 }
}

const train = async (file: string, size: number) => {
  if (name !== ours.name) {
    const { BPE, byteLevelPreTokenizer, Tokenizer } = await import("tokenizers")
    const tokenizer = new Tokenizer(BPE.empty())
    tokenizer.setPreTokenizer(byteLevelPreTokenizer(false))
    const [seconds] = await timed(() => tokenizer.train([file]))
    return { seconds, tokens: tokenizer.getVocabSize() }
  }
  const trainer = BpeTrainer.layer({ vocab_size: size, special_tokens: [], min_frequency: 1 })
  // Line by line, as the native trainer reads: no merge crosses a line.
  const documents = Stream.unwrap(
    Effect.map(
      Effect.promise(() => readFile(file, "utf8")),
      (text) => Stream.fromIterable(linesOf(text))
    )
  )
  const training = Effect.flatMap(TokenizerTrainer, (trainer) => trainer.train(documents)).pipe(
    Effect.provide(Layer.provide(trainer, NodeContext.layer))
  )
  const [seconds, trained] = await timed(() => Effect.runPromise(training))
  const { model } = JSON.parse(trained.files["tokenizer.json"] ?? "{}")
  return { seconds, tokens: Object.keys(model.vocab).length }
}

/** Lines with their ends. */
const linesOf = (text: string): ReadonlyArray<string> => text.match(/[^\n]*\n|[^\n]+$/g) ?? []

const result =
  what === "load"
    ? await load(JSON.parse(rest[0] ?? ""))
    : what === "word"
      ? await word(JSON.parse(rest[0] ?? ""))
      : await train(rest[0] ?? "", Number(rest[1]))
process.stdout.write(`\n${JSON.stringify({ ...result, memory: process.resourceUsage().maxRSS * 1024 })}\n`)
