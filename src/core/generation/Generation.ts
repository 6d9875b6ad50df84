/**
 * Generation: a prompt becomes a stream of tokens, with one run of a decoding Program per token.
 *
 * The decoding graph holds the weights as constants and the key/value cache as state, so a token costs one row of
 * arithmetic. The prompt goes through the same graph in chunks. When the context is full, the older half is dropped and
 * the rest is read again, so every token is generated with at least half a context.
 *
 * Sampling is the usual chain, in the order of Hugging Face's generate: repetition penalty, temperature, top-k, top-p,
 * then one draw from a seeded generator. Temperature 0 is greedy. Source of top-p: Holtzman et al. 2020,
 * https://arxiv.org/abs/1904.09751; of the penalty: Keskar et al. 2019, https://arxiv.org/abs/1909.05858.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { PCGRandom } from "effect/Utils"
import { Backend, BackendError, type TensorDatas } from "../Backend.ts"
import type { ConfigError } from "../config/ConfigIssue.ts"
import { type Architecture, NonFiniteModel } from "../Model.ts"
import * as Numbers from "../Numbers.ts"
import * as Program from "../tensor/Program.ts"
import { constant, type ShapeError, sizeOf } from "../tensor/Tensor.ts"

/** Prompt tokens that one run reads. */
const chunkSize = 16

/** How a token is drawn from the logits. */
export const SamplingOptions = Schema.Struct({
  /** Divides the logits; 0 always takes the most probable token. */
  temperature: Numbers.NonNegative,
  /** Only the k most probable tokens; 0: all. */
  topK: Numbers.CountOrZero,
  /** Only the most probable tokens that together reach this probability. */
  topP: Numbers.Share,
  /** Divides positive logits of tokens that occurred and multiplies negative ones; 1 has no effect. */
  repetitionPenalty: Numbers.Positive,
  seed: Numbers.Seed
})
export interface SamplingOptions extends Schema.Schema.Type<typeof SamplingOptions> {}

/** Decoding Programs of a model with given weights: `prompt` reads `chunkSize` tokens at once, `token` one. */
export const decodePrograms = (architecture: Architecture, parameters: TensorDatas) => {
  const decode = (name: string, length: number) =>
    Program.make({
      name,
      state: architecture.cache,
      inputs: { tokens: { dtype: "int32", shape: [length] }, position: { dtype: "int32", shape: [] } },
      build: (state, inputs) => {
        const weights = Object.fromEntries(Object.entries(parameters).map(([key, value]) => [key, constant(value)]))
        const { cache, logits } = architecture.decode(weights, inputs.tokens!, inputs.position!, state)
        return { state: cache, outputs: { logits } }
      }
    })
  return Effect.all({
    prompt: decode("prompt", Math.min(chunkSize, architecture.contextLength)),
    token: decode("token", 1)
  })
}

/** A compiled model that generates. */
export interface Generator {
  /**
   * New tokens after a prompt of at least one token: an endless stream, or one that ends before `stopToken`. Only one stream
   * may run at a time, because they share the cache.
   */
  readonly generate: (
    prompt: ArrayLike<number>,
    options: SamplingOptions,
    stopToken?: number
  ) => Stream.Stream<number, BackendError | ConfigError | NonFiniteModel>
}

/**
 * Compiles the decoding Programs of a model. They are released with the scope.
 *
 * @example
 * const generator = yield* Generation.make(architecture, parameters)
 * const tokens = generator.generate(tokenizer.encode("To be"), sampling).pipe(Stream.take(40))
 */
export const make = (
  architecture: Architecture,
  parameters: TensorDatas
): Effect.Effect<Generator, BackendError | ShapeError | Program.ProgramError, Backend | Scope.Scope> =>
  Effect.gen(function* () {
    const backend = yield* Backend
    const programs = yield* decodePrograms(architecture, parameters)
    const executable = yield* backend.compile(programs)
    yield* executable.writeState(
      Object.fromEntries(
        Object.entries(architecture.cache).map(([name, { dtype, shape }]) => [
          name,
          { dtype, shape, data: new Float32Array(sizeOf(shape)) }
        ])
      )
    )
    const { contextLength, vocabularySize } = architecture
    const promptLength = Math.min(chunkSize, contextLength)

    const run = (program: "prompt" | "token", tokens: Int32Array, position: number) =>
      Effect.map(
        executable.run(program, {
          tokens: { dtype: "int32", shape: [tokens.length], data: tokens },
          position: { dtype: "int32", shape: [], data: Int32Array.of(position) }
        }),
        (outputs) => outputs.logits!.data
      )

    /** Reads tokens into an empty cache and returns the logits after the last one. */
    const read = (tokens: ReadonlyArray<number>) =>
      Effect.gen(function* () {
        let logits: ArrayLike<number> = []
        let position = 0
        while (position < tokens.length) {
          const rest = tokens.length - position
          // A padded chunk must not reach past the cache's end; what padding writes is overwritten before it is seen.
          if (rest > 1 && position + promptLength <= contextLength) {
            const count = Math.min(rest, promptLength)
            const chunk = new Int32Array(promptLength)
            chunk.set(tokens.slice(position, position + count))
            const all = yield* run("prompt", chunk, position)
            logits = all.subarray((count - 1) * vocabularySize, count * vocabularySize)
            position += count
          } else {
            logits = yield* run("token", Int32Array.of(tokens[position]!), position)
            position += 1
          }
        }
        return logits
      })

    return {
      generate: (prompt, options, stopToken) => {
        const random = new PCGRandom(options.seed)
        const history = Array.from(prompt)
        const start = history.slice(-Math.max(1, contextLength - 1))
        if (start.length === 0) {
          return Stream.fail(new BackendError({ reason: "Input", subject: "prompt", details: "it has no tokens." }))
        }
        return Stream.unwrap(
          Effect.map(
            Effect.zipRight(Numbers.decodeOptions("generate", SamplingOptions, options), read(start)),
            (first) =>
              Stream.unfoldEffect({ logits: first, position: start.length }, ({ logits, position }) =>
                Effect.gen(function* () {
                  if (!canSample(logits)) return yield* new NonFiniteModel({ what: "a logit" })
                  const token = sample(logits, history, options, random)
                  if (token === stopToken) return Option.none()
                  history.push(token)
                  if (position < contextLength) {
                    const next = yield* run("token", Int32Array.of(token), position)
                    return Option.some([token, { logits: next, position: position + 1 }] as const)
                  }
                  const kept = history.slice(-Math.ceil(contextLength / 2))
                  return Option.some([token, { logits: yield* read(kept), position: kept.length }] as const)
                })
              )
          )
        )
      }
    }
  })

/** −∞ is a token that the model excludes; NaN and ∞ are faults, as is a choice without any token. */
const canSample = (logits: ArrayLike<number>): boolean => {
  let most = Number.NEGATIVE_INFINITY
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i]!
    if (Number.isNaN(logit)) return false
    most = Math.max(most, logit)
  }
  return Number.isFinite(most)
}

/** One token from the logits [V] that follow `history`. Draws exactly one number unless the temperature is 0. */
export const sample = (
  logits: ArrayLike<number>,
  history: ReadonlyArray<number>,
  options: SamplingOptions,
  random: PCGRandom
): number => {
  const scores = Float64Array.from(logits)
  if (options.repetitionPenalty !== 1) {
    for (const token of new Set(history)) {
      const score = scores[token]!
      scores[token] = score > 0 ? score / options.repetitionPenalty : score * options.repetitionPenalty
    }
  }
  if (options.temperature === 0) return scores.reduce((best, score, i) => (score > scores[best]! ? i : best), 0)
  const kept = mostProbable(scores, options.topK === 0 ? scores.length : Math.min(options.topK, scores.length))
  const top = scores[kept[0]!]!
  const weights = kept.map((token) => Math.exp((scores[token]! - top) / options.temperature))
  const sum = weights.reduce((total, weight) => total + weight, 0)
  // The smallest set that reaches topP, never empty: the token that crosses the limit belongs to it.
  let reached = 0
  let count = 0
  while (count < weights.length && (count === 0 || reached < options.topP * sum)) reached += weights[count++]!
  let draw = random.number() * reached
  for (let i = 0; i < count; i++) {
    draw -= weights[i]!
    if (draw < 0) return kept[i]!
  }
  return kept[count - 1]!
}

/**
 * The ids of the `count` highest scores, highest first; of equal scores the smaller id first, so that a choice never
 * depends on the engine's sort. Numbers sort natively and fast: only what reaches the threshold is sorted by id.
 */
const mostProbable = (scores: Float64Array, count: number): ReadonlyArray<number> => {
  const threshold = scores.slice().sort()[scores.length - count]!
  const candidates: Array<number> = []
  scores.forEach((score, id) => {
    if (score >= threshold) candidates.push(id)
  })
  return candidates.sort((a, b) => scores[b]! - scores[a]! || a - b).slice(0, count)
}

/**
 * Ends a stream of text before the first of `stops`, also where pieces of the stream split a stop: text that may be the start
 * of one is held back until the next pieces decide. `onStop` runs when a stop ends the stream.
 */
export const endBefore =
  (stops: ReadonlyArray<string>, onStop: Effect.Effect<void> = Effect.void) =>
  <E, R>(pieces: Stream.Stream<string, E, R>): Stream.Stream<string, E, R> => {
    const wanted = stops.filter((stop) => stop !== "")
    if (wanted.length === 0) return pieces
    return pieces.pipe(
      Stream.map((piece): string | undefined => piece),
      Stream.concat(Stream.succeed(undefined)),
      Stream.mapAccum({ held: "", ended: false }, ({ ended, held }, piece) => {
        if (ended) return [{ held: "", ended }, Chunk.of({ text: "", ended })]
        const text = held + (piece ?? "")
        const found = wanted.map((stop) => text.indexOf(stop)).filter((at) => at >= 0)
        if (found.length > 0) {
          return [{ held: "", ended: true }, Chunk.of({ text: text.slice(0, Math.min(...found)), ended: true })]
        }
        const back = piece === undefined ? 0 : longestStart(text, wanted)
        const sure = text.length - back
        return [{ held: text.slice(sure), ended: false }, Chunk.of({ text: text.slice(0, sure), ended: false })]
      }),
      Stream.flattenChunks,
      Stream.takeUntil(({ ended }) => ended),
      Stream.tap(({ ended }) => (ended ? onStop : Effect.void)),
      Stream.map(({ text }) => text),
      Stream.filter((text) => text !== "")
    )
  }

/** Length of the longest end of `text` that is a proper start of one of `stops`. */
const longestStart = (text: string, stops: ReadonlyArray<string>): number => {
  const most = Math.min(text.length, Math.max(...stops.map((stop) => stop.length)) - 1)
  for (let length = most; length > 0; length--) {
    if (stops.some((stop) => stop.startsWith(text.slice(text.length - length)))) return length
  }
  return 0
}
