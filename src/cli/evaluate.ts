/**
 * codex evaluate --run runs/<id> [--data 'held-out/*.txt'] [--metrics perplexity,bits_per_byte,accuracy]
 *
 *     $ codex evaluate --run runs/<id>
 *     metric         value  ± stderr  unit
 *     bits_per_byte  2.083     0.012  bits/byte
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { lazyPrepared } from "./Lazy.ts"
import { checkpoint, count, device, json, run } from "./Options.ts"

const data = Options.text("data").pipe(
  Options.withDescription("Files to score, all of them; may be repeated. Default: what the run held out"),
  Options.repeated
)
const metrics = Options.text("metrics").pipe(
  Options.withDescription("Metric plugins, with commas between them. Default: as in the run's config"),
  Options.map((text) => text.split(",").map((name) => name.trim())),
  Options.optional
)
const stride = count("stride").pipe(
  Options.withDescription("Tokens by which the window moves on. Default: half the context"),
  Options.optional
)

export const evaluate = Command.make(
  "evaluate",
  { run, data, metrics, checkpoint, stride, device, json },
  lazyPrepared(() => import("./handlers/evaluate.ts"))
).pipe(
  Command.withDescription(
    "Measure a trained model on held-out text, with standard errors. " +
      "Example: codex evaluate --run runs/<id> --data 'held-out/*.txt' --metrics perplexity,bits_per_byte"
  )
)
