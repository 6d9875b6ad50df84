/**
 * The metric kind: what an evaluation reports.
 *
 * A metric is a vector of totals and a function of it. Totals of parts add up to the total of the whole, so any split of
 * the data gives the same result (laws 1–3 of src/testing/metric.ts: `empty` is the unit of `combine`; `combine` is
 * associative; any split of the samples gives the same result). Averages are never averaged.
 */
import * as Context from "effect/Context"
import * as Plugin from "./plugin/Plugin.ts"

/** What one window of held-out text contributes: sums over its scored tokens. */
export interface Sample {
  /** Sum of −ln p(token | context). */
  readonly nats: number
  readonly tokens: number
  /** UTF-8 bytes that the scored tokens stand for. */
  readonly bytes: number
  /** Scored tokens that were the most probable one. */
  readonly correct: number
}

export class Metric extends Context.Tag("codex/Metric")<Metric, Metric.Service>() {
  static make(primitives: Metric.Primitives): Metric.Service {
    const combine = (a: Totals, b: Totals): Totals => a.map((value, i) => value + (b[i] ?? 0))
    return {
      ...primitives,
      empty: Array.from({ length: primitives.size }, () => 0),
      combine,
      update: (totals, sample) => combine(totals, primitives.totals(sample))
    }
  }
}

export type Totals = ReadonlyArray<number>

export declare namespace Metric {
  interface Primitives {
    /** The name in files and tables: `perplexity`, `bits_per_byte`. */
    readonly name: string
    /** The unit of the result: `bits/byte`, `%`, or "" for a pure number. */
    readonly unit: string
    readonly direction: "lower" | "higher"
    /** Length of the vector of totals. */
    readonly size: number
    readonly totals: (sample: Sample) => Totals
    /** NaN when there was nothing to measure. */
    readonly result: (totals: Totals) => number
  }
  interface Service extends Primitives {
    readonly empty: Totals
    readonly update: (totals: Totals, sample: Sample) => Totals
    readonly combine: (a: Totals, b: Totals) => Totals
  }
}

export const MetricKind = Plugin.kind("metric", { api: 1, tag: Metric })
