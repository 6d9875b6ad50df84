/**
 * A combinator of your own on the stream of training events: report updates whose gradient is unusually long, compared with a running mean.
 *
 *     npx tsx examples/gradient-alarm.ts 'notes/*.txt'
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Run, type Training } from "codex-ml"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

const [data = "README.md"] = process.argv.slice(2)

const alarm: Training.Combinator = (events) =>
  events.pipe(
    Stream.mapAccum(Number.NaN, (mean, event) => {
      const norm = event._tag === "Step" ? event.gradientNorm : mean
      return [Number.isNaN(mean) ? norm : 0.9 * mean + 0.1 * norm, { event, mean, norm }]
    }),
    Stream.tap(({ event, mean, norm }) => (norm > 1.2 * mean ? Console.log({ mean, event }) : Effect.void)),
    Stream.map(({ event }) => event)
  )

const program = Run.train({ data, tokenizer: "byte", model: "tiny", training: { epochs: 2 }, combinator: alarm })
NodeRuntime.runMain(program.pipe(Effect.scoped, Effect.provide(Run.layer())))
