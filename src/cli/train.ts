/**
 * codex train [--config configs/training/base.yaml] [--resume] [--run runs/<id>] [--seed 7] [key=value …]
 *
 *     $ codex train --config configs/training/base.yaml model=tiny training.epochs=1
 *     Trained 62 updates; held out 4.912 nats/token, 2.981 bits/byte (best, step 62).
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { lazyPrepared } from "./Lazy.ts"
import { overrides } from "./Options.ts"

const config = Options.text("config").pipe(
  Options.withDescription("The config, or a file of one of its groups. Default: configs/config.yaml"),
  Options.optional
)
const resume = Options.boolean("resume").pipe(
  Options.withDescription("Go on with the newest run that has this config, from its last checkpoint.")
)
const run = Options.text("run").pipe(
  Options.withDescription("The run to go on with, by directory or id; implies --resume."),
  Options.optional
)
const seed = Options.integer("seed").pipe(Options.withDescription("The same as training.seed=…"), Options.optional)

export const train = Command.make(
  "train",
  { config, resume, run, seed, overrides },
  lazyPrepared(() => import("./handlers/train.ts"))
).pipe(
  Command.withDescription(
    "Train a model as a config says. +dry_run=true checks all of it and estimates time and memory. " +
      "Example: codex train --config configs/training/base.yaml --seed 7 model=tiny training.epochs=1"
  )
)
