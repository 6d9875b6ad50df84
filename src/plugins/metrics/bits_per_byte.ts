/**
 * Metric plugin `bits_per_byte`: −log₂ p of the text over its UTF-8 bytes. Independent of the tokenizer, and comparable
 * with a compressor's: `bzip2 -9` needs 2.38 on Moby-Dick.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Metric } from "../../core/Metric.ts"
import * as Plugin from "../../core/plugin/Plugin.ts"

/** The metric `bits_per_byte`: nats / ln 2 / bytes. Lower is better. */
export const BitsPerByte = Plugin.make(Metric.kind, "bits_per_byte", {
  description: "negative log2-likelihood per UTF-8 byte of text",
  config: Schema.Struct({}),
  make: () =>
    Effect.succeed(
      Metric.make({
        name: "bits_per_byte",
        unit: "bits/byte",
        direction: "lower",
        size: 2,
        totals: ({ bytes, nats }) => [nats, bytes],
        result: ([nats, bytes]) => nats! / Math.LN2 / bytes!
      })
    )
})
