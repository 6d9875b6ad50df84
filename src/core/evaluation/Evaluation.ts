/**
 * Evaluation of a language model: every token of a held-out text is predicted once, and metrics are totals over them.
 *
 * Text longer than the context is read through a sliding window of T tokens that moves by `stride`. Each window scores
 * only the tokens that the window before did not, so no token is counted twice and, with stride T/2, every token after the
 * first window is predicted with at least T/2 tokens of context:
 *
 *     tokens   0 1 2 3 4 5 6 7 8 9        T = 4, stride = 2; token 0 has nothing before it and is never scored
 *     window 0 [0 1 2 3]4                 reads 0–3, scores 1 2 3 4
 *     window 1     [2 3 4 5]6             reads 2–5, scores 5 6
 *     window 2         [4 5 6 7]8         reads 4–7, scores 7 8
 *
 * Standard errors come from a bootstrap over windows. Source: Efron & Tibshirani 1993, ch. 6.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { PCGRandom } from "effect/Utils"
import type { BackendError, TensorDatas } from "../Backend.ts"
import type { ConfigError } from "../config/ConfigIssue.ts"
import type { TokenFile, TokenFileError } from "../data/TokenFile.ts"
import type { Metric, Sample } from "../Metric.ts"
import { NonFiniteModel } from "../Model.ts"
import * as Numbers from "../Numbers.ts"
import { plural } from "../Plural.ts"
import type { Tokenizer } from "../Tokenizer.ts"
import type { TensorData } from "../tensor/Tensor.ts"
import { ignoreIndex } from "../training/TrainingPrograms.ts"

/** A part of a text that is read at once, and the tokens of it that are scored. */
export interface Window {
  /** Position of the first token that is read. */
  readonly start: number
  /** Tokens read; at most the context length. */
  readonly length: number
  /** Predictions from this one on are scored: prediction i is of the token at `start + i + 1`. */
  readonly scoreFrom: number
}

/** The windows of a text of `tokens` tokens. Together they score each token but the first exactly once. */
export const windows = (tokens: number, contextLength: number, stride: number): ReadonlyArray<Window> => {
  const all: Array<Window> = []
  let scored = 1
  for (let start = 0; scored < tokens; start += stride) {
    const length = Math.min(contextLength, tokens - 1 - start)
    all.push({ start, length, scoreFrom: scored - start - 1 })
    scored = start + length + 1
  }
  return all
}

const Sizes = Schema.Struct({
  /** Tokens of a window. */
  contextLength: Numbers.Count,
  /** Tokens by which each window is further than the one before; at most the context length, so that no token is left out. */
  stride: Numbers.Count,
  /** Windows that are computed at once. */
  batchSize: Numbers.Count,
  /** At most this many windows, spread evenly over the text. Undefined: all. */
  limit: Schema.UndefinedOr(Numbers.Count)
}).pipe(
  Schema.filter(
    ({ contextLength, stride }) =>
      stride <= contextLength || `stride: expected at most the context length ${contextLength}, got ${stride}`
  )
)

/** What to score, and with which Program. */
export interface ScoreOptions extends Schema.Schema.Type<typeof Sizes> {
  readonly file: TokenFile
  /** UTF-8 bytes of each token, by id. */
  readonly tokenBytes: Int32Array
  /** Runs the `evaluate` Program of training/TrainingPrograms.ts. */
  readonly run: (inputs: TensorDatas) => Effect.Effect<TensorDatas, BackendError>
}

/** One sample per window, in the order of the text. Sizes out of range are a `ConfigError`. */
export const score = (options: ScoreOptions): Stream.Stream<Sample, BackendError | ConfigError | TokenFileError> =>
  Stream.unwrap(Effect.map(Numbers.decodeOptions("Evaluation.score", Sizes, options), () => scoreWindows(options)))

const scoreWindows = (options: ScoreOptions): Stream.Stream<Sample, BackendError | TokenFileError> => {
  const { batchSize, contextLength, file } = options
  const all = windows(file.length, contextLength, options.stride)
  const limit = Math.min(options.limit ?? all.length, all.length)
  const chosen = Array.from({ length: limit }, (_, i) => all[Math.floor((i * all.length) / limit)]!)
  const batches = Array.from({ length: Math.ceil(chosen.length / batchSize) }, (_, i) =>
    chosen.slice(i * batchSize, (i + 1) * batchSize)
  )
  return Stream.fromIterable(batches).pipe(
    Stream.mapEffect((batch) => scoreBatch(options, batch)),
    Stream.flatMap(Stream.fromIterable)
  )
}

const scoreBatch = (options: ScoreOptions, batch: ReadonlyArray<Window>) =>
  Effect.gen(function* () {
    const { batchSize, contextLength, file, tokenBytes } = options
    const tokens = new Int32Array(batchSize * contextLength)
    const targets = new Int32Array(batchSize * contextLength).fill(ignoreIndex)
    for (const [row, window] of batch.entries()) {
      const read = yield* file.read(window.start, window.length + 1)
      tokens.set(read.subarray(0, window.length), row * contextLength)
      targets.set(read.subarray(1 + window.scoreFrom), row * contextLength + window.scoreFrom)
    }
    const shape = [batchSize, contextLength]
    const int32 = (data: Int32Array): TensorData => ({ dtype: "int32", shape, data })
    const outputs = yield* options.run({ tokens: int32(tokens), targets: int32(targets) })
    const [nats, correct] = [outputs.nats!.data, outputs.correct!.data]
    return batch.map((window, row): Sample => {
      const sample = { nats: 0, tokens: 0, bytes: 0, correct: 0 }
      for (let i = window.scoreFrom; i < window.length; i++) {
        const at = row * contextLength + i
        sample.nats += nats[at]!
        sample.correct += correct[at]!
        sample.bytes += tokenBytes[targets[at]!]!
        sample.tokens += 1
      }
      return sample
    })
  })

/** The sum of all samples. */
export const total = <E, R>(samples: Stream.Stream<Sample, E, R>): Effect.Effect<Sample, E, R> =>
  Stream.runFold(samples, { nats: 0, tokens: 0, bytes: 0, correct: 0 }, (sum: Sample, sample) => ({
    nats: sum.nats + sample.nats,
    tokens: sum.tokens + sample.tokens,
    bytes: sum.bytes + sample.bytes,
    correct: sum.correct + sample.correct
  }))

/** A metric of an evaluation. */
export interface Result {
  readonly metric: string
  readonly value: number
  /** Standard error of the value, from the bootstrap over windows. Undefined for a text of one window, which has none. */
  readonly stderr: number | undefined
  readonly unit: string
  readonly direction: "lower" | "higher"
}

/** A text on which a metric has no finite value. */
export class MetricUndefined extends Schema.TaggedError<MetricUndefined>()("MetricUndefined", {
  metric: Schema.String,
  /** What was scored. */
  tokens: Schema.Number,
  bytes: Schema.Number
}) {
  override get message() {
    return (
      `The metric ${this.metric} has no finite value on this text, of which ${plural(this.tokens, "token")} ` +
      `(${this.bytes} B) could be scored. Give more text, or name other metrics.`
    )
  }
}

/** Fails where a result is not finite: a loss that is NaN is the model's fault, anything else that of the metric on this text. */
export const requireFinite = (
  results: ReadonlyArray<Result>,
  samples: ReadonlyArray<Sample>
): Effect.Effect<ReadonlyArray<Result>, MetricUndefined | NonFiniteModel> => {
  if (!samples.every(({ nats }) => Number.isFinite(nats))) return new NonFiniteModel({ what: "the loss" })
  const broken = results.find(({ value }) => !Number.isFinite(value))
  if (broken === undefined) return Effect.succeed(results)
  const sum = (field: "tokens" | "bytes") => samples.reduce((total, sample) => total + sample[field], 0)
  return new MetricUndefined({ metric: broken.metric, tokens: sum("tokens"), bytes: sum("bytes") })
}

/** Value and standard error of each metric over the samples. */
export const results = (
  metrics: ReadonlyArray<Metric.Service>,
  samples: ReadonlyArray<Sample>,
  options: { readonly seed: number; readonly resamples?: number }
): ReadonlyArray<Result> =>
  metrics.map((metric) => ({
    metric: metric.name,
    value: metric.result(samples.reduce(metric.update, metric.empty)),
    stderr: bootstrap(metric, samples, options.seed, options.resamples ?? 200),
    unit: metric.unit,
    direction: metric.direction
  }))

/** Standard deviation of the metric over resamples of the windows, drawn with replacement. */
const bootstrap = (
  metric: Metric.Service,
  samples: ReadonlyArray<Sample>,
  seed: number,
  resamples: number
): number | undefined => {
  if (samples.length < 2) return undefined
  const random = new PCGRandom(seed)
  const values = Array.from({ length: resamples }, () => {
    let totals = metric.empty
    for (let i = 0; i < samples.length; i++) {
      totals = metric.update(totals, samples[Math.floor(random.number() * samples.length)]!)
    }
    return metric.result(totals)
  })
  const mean = values.reduce((sum, value) => sum + value, 0) / resamples
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (resamples - 1))
  return Number.isFinite(deviation) ? deviation : undefined
}

/**
 * Whether a text has something to score. A token is predicted from those before it, so the first one is never scored: other
 * tokens must have bytes.
 */
export const isScorable = (
  file: TokenFile,
  tokenizer: Pick<Tokenizer.Service, "byteLength">
): Effect.Effect<boolean, TokenFileError> =>
  Effect.gen(function* () {
    if (file.length < 2) return false
    const [first] = yield* file.read(0, 1)
    return file.bytes > (yield* Effect.orElseSucceed(tokenizer.byteLength(first!), () => 0))
  })

/**
 * UTF-8 bytes of each token of a vocabulary; 0 for special tokens. Exact if the tokenizer is lossless: what normalizing
 * or an unknown token loses is not counted.
 */
export const tokenBytesOf = (
  tokenizer: Pick<Tokenizer.Service, "byteLength" | "vocabularySize">
): Effect.Effect<Int32Array> =>
  Effect.gen(function* () {
    const bytes = new Int32Array(tokenizer.vocabularySize)
    for (let id = 0; id < bytes.length; id++) bytes[id] = yield* Effect.orElseSucceed(tokenizer.byteLength(id), () => 0)
    return bytes
  })
