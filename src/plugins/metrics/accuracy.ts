/** Metric plugin `accuracy`: the share of tokens to which the model gave the highest probability. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Metric } from "../../core/Metric.ts"
import * as Plugin from "../../core/plugin/Plugin.ts"

/** The metric `accuracy`: correct tokens / tokens. Higher is better. */
export const Accuracy = Plugin.make(Metric.kind, "accuracy", {
  description: "share of tokens that had the highest probability",
  config: Schema.Struct({}),
  make: () =>
    Effect.succeed(
      Metric.make({
        name: "accuracy",
        unit: "",
        direction: "higher",
        size: 2,
        totals: ({ correct, tokens }) => [correct, tokens],
        result: ([correct, tokens]) => correct! / tokens!
      })
    )
})
