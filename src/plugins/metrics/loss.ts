/** Metric plugin `loss`: the mean −ln p per token, in nats: what training minimizes. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Metric } from "../../core/Metric.ts"
import * as Plugin from "../../core/plugin/Plugin.ts"

/** The metric `loss`: nats / tokens. Lower is better. */
export const Loss = Plugin.make(Metric.kind, "loss", {
  description: "mean negative log-likelihood per token",
  config: Schema.Struct({}),
  make: () =>
    Effect.succeed(
      Metric.make({
        name: "loss",
        unit: "nats/token",
        direction: "lower",
        size: 2,
        totals: ({ nats, tokens }) => [nats, tokens],
        result: ([nats, tokens]) => nats! / tokens!
      })
    )
})
