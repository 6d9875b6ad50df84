/** Metric plugin `accuracy`: the share of tokens that the model held for the most probable one. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Metric, MetricKind } from "../../core/Metric.ts"
import * as Plugin from "../../core/plugin/Plugin.ts"

export const Accuracy = Plugin.make(MetricKind, "accuracy", {
  description: "share of tokens that were the most probable one",
  config: Schema.Struct({}),
  make: () =>
    Effect.succeed(
      Metric.make({
        name: "accuracy",
        unit: "",
        direction: "higher",
        size: 2,
        totals: ({ correct, tokens }) => [correct, tokens],
        result: ([correct = 0, tokens = 0]) => correct / tokens
      })
    )
})
