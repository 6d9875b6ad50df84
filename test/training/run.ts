/**
 * The job behind `codex train` on real files in a folder: the parts a config names, a run directory, checkpoints, metrics.
 *
 * As a program (`node --import tsx test/training/run.ts <folder>`) it trains with the folder's config.json, resumes the
 * folder's run when there is one, and prints each event, so that a test may kill it at any of them.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { RunConfig } from "../../src/core/config/RunConfig.ts"
import type { RunEvent } from "../../src/core/training/TrainEvent.ts"
import { train } from "../../src/jobs/TrainingRun.ts"
import { builtins } from "../../src/plugins/builtins.ts"
import * as OnnxBackend from "../../src/services/backend/OnnxBackend.ts"
import * as CheckpointStore from "../../src/services/runs/CheckpointStore.ts"
import { RunStore } from "../../src/services/runs/RunStore.ts"
import * as TokenCache from "../../src/services/runs/TokenCache.ts"

/** Everything that a run needs, with all that it writes under `folder`. */
export const layerIn = (folder: string) =>
  Layer.mergeAll(
    RunStore.layer(join(folder, "runs")),
    CheckpointStore.layer,
    TokenCache.layer({ directory: join(folder, "tokens") }),
    builtins.layer,
    OnnxBackend.layer({ device: "cpu", threads: 1 })
  ).pipe(Layer.provideMerge(NodeContext.layer))

/** A folder with a text and a config: a tiny Llama on bytes, with dropout, evaluation and frequent checkpoints. */
export const prepare = (folder: string, training: Partial<(typeof RunConfig.Encoded)["training"]> = {}): string => {
  mkdirSync(folder, { recursive: true })
  const text = Array.from({ length: 40 }, (_, i) => `${i}: the whale is ${["white", "near", "gone"][i % 3]}.\n`).join(
    ""
  )
  writeFileSync(join(folder, "text.txt"), text)
  const config: typeof RunConfig.Encoded = {
    name: "tiny",
    model: {
      name: "decoder",
      hidden_size: 16,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      max_position_embeddings: 16,
      dropout: 0.2
    },
    data: { name: "text", paths: join(folder, "text.txt"), validation: { fraction: 0.2 } },
    tokenizer: { name: "byte" },
    tracking: { ndjson: {} },
    training: {
      seed: 3,
      lr: 5e-3,
      warmup_steps: 5,
      batch_size: 4,
      gradient_accumulation_steps: 2,
      max_steps: 40,
      eval_steps: 5,
      eval_windows: 4,
      save_steps: 4,
      ...training
    }
  }
  writeFileSync(join(folder, "config.json"), JSON.stringify(config))
  return folder
}

/** Trains as the folder's config says; resumes the folder's run if there is one. */
export const trainIn = (folder: string, onEvent: (event: RunEvent) => Effect.Effect<void> = () => Effect.void) =>
  Effect.gen(function* () {
    const configText = readFileSync(join(folder, "config.json"), "utf8")
    const config = yield* Schema.decode(Schema.parseJson(RunConfig))(configText)
    const [resume] = yield* Effect.flatMap(RunStore, (store) => store.list)
    return yield* train(
      { config, text: configText, dryRun: false, services: {}, datasetChosen: true },
      { resume, onEvent }
    )
  }).pipe(Effect.scoped, Effect.provide(layerIn(folder)))

/** The folder's only run. */
export const runOf = (folder: string): string => {
  const [run, ...others] = readdirSync(join(folder, "runs"))
  if (run === undefined || others.length > 0) throw new Error(`${folder} has ${others.length} runs besides ${run}`)
  return join(folder, "runs", run)
}

/** Lines of metrics.ndjson without their `time`. */
export const metricsOf = (folder: string): ReadonlyArray<string> =>
  readFileSync(join(runOf(folder), "metrics.ndjson"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.stringify({ ...JSON.parse(line), time: undefined }))

/** The path of the newest checkpoint of the folder's run. */
export const checkpointOf = (folder: string): string => {
  const checkpoints = join(runOf(folder), "checkpoints")
  const newest = readdirSync(checkpoints)
    .filter((name) => name.startsWith("step-"))
    .sort()
    .at(-1)
  return join(checkpoints, newest ?? "none")
}

const folder = process.argv[2]
if (folder !== undefined && import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const print = (event: RunEvent) =>
    Effect.sync(() => process.stdout.write(`${event._tag}${"step" in event ? ` ${event.step}` : ""}\n`))
  await Effect.runPromise(trainIn(folder, print))
}
