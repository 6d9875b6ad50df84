/**
 * The metric kind: a number that an evaluation reports.
 *
 * A metric is a vector of totals and a function of it. The totals of parts add up to the totals of the whole, so any split of
 * the data gives the same result (laws 1–3 of src/testing/metric.ts: `empty` is the identity of `combine`; `combine` is
 * associative; any split of the samples gives the same result). Averages are never averaged.
 */
import * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import * as Plugin from "./plugin/Plugin.ts"

/** Sums over the scored tokens of one window of text. */
export interface Sample {
  /** Sum of −ln p(token | context). */
  readonly nats: number
  readonly tokens: number
  /** UTF-8 bytes of the scored tokens. */
  readonly bytes: number
  /** Scored tokens to which the model gave the highest probability. */
  readonly correct: number
}

const totals = Schema.Array(Schema.Number)

/** A metric of an evaluation. */
export class Metric extends Context.Tag("codex/Metric")<Metric, Metric.Service>() {
  /** The kind of metric plugins. */
  static readonly kind: Plugin.Kind<"metric", Metric, Metric.Service> = Plugin.kind("metric", {
    api: 1,
    tag: this,
    contract: { empty: totals, update: totals, combine: totals, result: Schema.Number }
  })

  /**
   * A metric of the totals of a sample, and a function of their sum.
   *
   * @example
   * Metric.make({
   *   name: "accuracy", unit: "", direction: "higher", size: 2,
   *   totals: ({ correct, tokens }) => [correct, tokens],
   *   result: ([correct, tokens]) => correct! / tokens!
   * })
   */
  static make(primitives: Metric.Primitives): Metric.Service {
    const combine = (a: Totals, b: Totals): Totals => a.map((value, i) => value + b[i]!)
    return {
      ...primitives,
      empty: Array.from({ length: primitives.size }, () => 0),
      combine,
      update: (totals, sample) => combine(totals, primitives.totals(sample))
    }
  }
}

/** Sums from which a metric is computed. */
export type Totals = ReadonlyArray<number>

export declare namespace Metric {
  interface Primitives {
    /** The name in files and tables: `perplexity`, `bits_per_byte`. */
    readonly name: string
    /** The unit of the result: `bits/byte`, `%`, or "" for a pure number. */
    readonly unit: string
    readonly direction: "lower" | "higher"
    /** The number of totals. */
    readonly size: number
    /** The totals of one sample. */
    readonly totals: (sample: Sample) => Totals
    /** The metric of these totals; NaN if nothing was measured. */
    readonly result: (totals: Totals) => number
  }
  interface Service extends Primitives {
    readonly empty: Totals
    readonly update: (totals: Totals, sample: Sample) => Totals
    readonly combine: (a: Totals, b: Totals) => Totals
  }
}
