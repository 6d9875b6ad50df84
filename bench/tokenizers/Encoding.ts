/**
 * Bulk encoding: rates of every engine on one core, and on two of those that can.
 *
 * Before an engine is timed its ids are compared with ours, text by text, which is also its warm-up. On two cores ours are
 * the threads of services/runs/EncodeStream.ts with batches as the token cache makes them, started before the clock is;
 * `tokenizers` spreads a batch over its own threads. The other engines have no threads.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { TokenizerTrainer } from "../../src/core/TokenizerTrainer.ts"
import { BpeTrainer } from "../../src/plugins/tokenizers/bpe.ts"
import * as EncodeStream from "../../src/services/runs/EncodeStream.ts"
import * as Figures from "./Figures.ts"
import { type Engine, ours, oursOf, type Peer, peers, type Vocabulary } from "./Peers.ts"
import * as Texts from "./Texts.ts"

/** The tokenizer.json of a byte-level BPE. */
export const train = (texts: ReadonlyArray<string>, vocabularySize: number) =>
  Effect.gen(function* () {
    const trainer = yield* TokenizerTrainer
    const { files } = yield* trainer.train(Stream.fromIterable(texts))
    return files["tokenizer.json"] ?? ""
  }).pipe(
    Effect.provide(
      BpeTrainer.layer({ vocab_size: vocabularySize, special_tokens: [] }).pipe(
        Layer.provide(NodeContext.layer),
        Layer.orDie
      )
    )
  )

/** Seconds by the clock, and of processor time, all threads of this process together. */
const measure = async (run: () => unknown) => {
  const from = performance.now()
  const before = process.cpuUsage()
  await run()
  const { system, user } = process.cpuUsage(before)
  return { seconds: (performance.now() - from) / 1000, processor: (system + user) / 1e6 }
}

const shareOf = (texts: ReadonlyArray<string>, slowness = 1): ReadonlyArray<string> =>
  slowness === 1 ? texts : texts.filter((_, i) => i % slowness === 0)

/** Texts whose ids differ from ours. */
const differences = async (engine: Engine, own: Engine, texts: ReadonlyArray<string>): Promise<number> => {
  let different = 0
  for (const text of texts) {
    const [a, b] = [await engine.encode([text]), await own.encode([text])]
    if (Buffer.compare(bytesOf(a), bytesOf(b)) !== 0) different++
  }
  return different
}

const bytesOf = (ids: ArrayLike<number>): Buffer => Buffer.from(Uint32Array.from(ids).buffer)

interface Contender {
  readonly peer: Peer
  readonly engine: Engine
  readonly texts: ReadonlyArray<string>
  readonly bytes: number
  readonly different: string
  readonly rates: Array<number>
  /** By processor time, which neighbours disturb less. */
  readonly processorRates: Array<number>
}

export const perCore = (vocabularies: ReadonlyArray<Vocabulary>, rounds: number) =>
  Effect.forEach(
    vocabularies.flatMap((vocabulary) =>
      [Texts.english(), Texts.mixed(), Texts.code()].map((corpus) => [vocabulary, corpus] as const)
    ),
    ([vocabulary, corpus]) => Effect.promise(() => contest(vocabulary, corpus, rounds))
  ).pipe(Effect.map((rows) => rows.flat()))

const contest = async (vocabulary: Vocabulary, corpus: Texts.Corpus, rounds: number) => {
  const own = await ours.load(vocabulary)
  if (own === undefined) return []
  const contenders: Array<Contender> = []
  for (const peer of [ours, ...peers]) {
    const engine = peer === ours ? own : await peer.load(vocabulary)
    if (engine === undefined) continue
    const texts = shareOf(corpus.texts, peer.slowness)
    const compared = shareOf(corpus.texts, Math.ceil(corpus.texts.length / 150))
    const different = await differences(engine, own, compared)
    contenders.push({
      peer,
      engine,
      texts,
      bytes: Texts.bytesOf(texts),
      different: `${different} of ${compared.length}`,
      rates: [],
      processorRates: []
    })
  }
  for (let i = 0; i < rounds; i++) {
    for (const { bytes, engine, processorRates, rates, texts } of contenders) {
      const { processor, seconds } = await measure(() => engine.encode(texts))
      rates.push(bytes / 1e6 / seconds)
      processorRates.push(bytes / 1e6 / processor)
    }
  }
  return contenders.map(({ different, peer, processorRates, rates }) => ({
    vocabulary: vocabulary.name,
    text: corpus.name,
    engine: peer.name,
    "MB/s": Figures.show(rates),
    "MB per processor second": Figures.show(processorRates),
    "codex is faster by": Figures.ratio(contenders[0]?.processorRates ?? [], processorRates),
    "texts with other ids": different
  }))
}

/** As the token cache makes them. */
const BATCH = 1 << 19

const batchesOf = (texts: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> => {
  const batches: Array<Array<string>> = [[]]
  let size = 0
  for (const text of texts) {
    if (size + text.length > BATCH) {
      batches.push([])
      size = 0
    }
    batches.at(-1)?.push(text)
    size += text.length
  }
  return batches
}

export const onTwoCores = (vocabularies: ReadonlyArray<Vocabulary>, rounds: number) =>
  Effect.forEach(vocabularies, (vocabulary) => together(vocabulary, Texts.third(Texts.english()), rounds)).pipe(
    Effect.map((rows) => rows.flat())
  )

const together = (vocabulary: Vocabulary, corpus: Texts.Corpus, rounds: number) =>
  Effect.gen(function* () {
    const service = yield* Effect.promise(() => oursOf(vocabulary))
    const { definitionFile, files } = service
    const definition = definitionFile === undefined ? undefined : files[definitionFile]
    if (definition === undefined) return []
    const batches = batchesOf(corpus.texts)
    const pooled = (threads: number) =>
      Effect.map(EncodeStream.makePool({ definition, endOfText: undefined, width: 4, threads }), (pool) =>
        Effect.forEach(batches, (batch) => pool.encode(batch), { concurrency: 2 * threads })
      )
    const contenders: Array<{ engine: string; run: Effect.Effect<unknown, unknown>; rates: Array<number> }> = [
      { engine: "codex, two threads", run: yield* pooled(2), rates: [] },
      { engine: "codex, one thread", run: yield* pooled(1), rates: [] }
    ]
    for (const peer of peers) {
      const engine = yield* Effect.promise(() => peer.load(vocabulary))
      if (engine === undefined || (peer.slowness ?? 1) > 3) continue
      const { encode, encodeInParallel } = engine
      const alone = Effect.promise(async () => encode(corpus.texts))
      contenders.push({ engine: `${peer.name}, one thread`, run: alone, rates: [] })
      if (encodeInParallel === undefined) continue
      const run = Effect.promise(() => encodeInParallel(corpus.texts))
      contenders.push({ engine: `${peer.name}, its own threads`, run, rates: [] })
    }
    for (const { run } of contenders) yield* run
    for (let i = 0; i < rounds; i++) {
      for (const { rates, run } of contenders) {
        const from = performance.now()
        yield* run
        rates.push(corpus.bytes / 1e3 / (performance.now() - from))
      }
    }
    return contenders.map(({ engine, rates }) => ({
      vocabulary: vocabulary.name,
      text: corpus.name,
      engine,
      "MB/s": Figures.show(rates),
      "codex on two is faster by": Figures.ratio(contenders[0]?.rates ?? [], rates)
    }))
  }).pipe(Effect.scoped)
