/**
 * Metric plugin `perplexity`: exp of the mean −ln p per token. Depends on the vocabulary: compare it only between models
 * with the same tokenizer. Exponentiated once, at the end: a mean of perplexities would be wrong.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Metric } from "../../core/Metric.ts"
import * as Plugin from "../../core/plugin/Plugin.ts"

/** The metric `perplexity`: exp(nats / tokens). Lower is better. */
export const Perplexity = Plugin.make(Metric.kind, "perplexity", {
  description: "exp of the mean negative log-likelihood per token",
  config: Schema.Struct({}),
  make: () =>
    Effect.succeed(
      Metric.make({
        name: "perplexity",
        unit: "",
        direction: "lower",
        size: 2,
        totals: ({ nats, tokens }) => [nats, tokens],
        result: ([nats, tokens]) => Math.exp(nats! / tokens!)
      })
    )
})
