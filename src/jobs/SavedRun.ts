/**
 * A run, or one of its checkpoints, ready to be used: parameters, tokenizer, architecture and the config it ran with.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import type { ConfigError } from "../core/config/ConfigIssue.ts"
import type { RunConfig } from "../core/config/RunConfig.ts"
import { CheckpointError, CheckpointStore } from "../core/training/Checkpoint.ts"
import { RunStore } from "../services/runs/RunStore.ts"
import { architectureOf, tokenizerAt } from "./RunComponents.ts"

/** Which checkpoint of a run: the newest, the best on held-out text, or the one of a step. */
export type Which = "last" | "best" | number

/**
 * Opens a run by its directory or id, or a checkpoint by its directory. `best` falls back to the newest where nothing was
 * held out. `decode` reads the config that was saved with the run.
 */
export const open = (
  pathOrId: string,
  which: Which,
  decode: (yaml: string, file: string) => Effect.Effect<RunConfig, ConfigError>
) =>
  Effect.gen(function* () {
    const store = yield* RunStore
    const checkpoints = yield* CheckpointStore
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const isCheckpoint = yield* fs.exists(paths.join(pathOrId, "manifest.json")).pipe(Effect.orElseSucceed(() => false))
    const run = yield* store.open(isCheckpoint ? paths.dirname(paths.dirname(paths.resolve(pathOrId))) : pathOrId)
    const path = isCheckpoint ? pathOrId : yield* choose(run.checkpoints, which)
    const checkpoint = yield* checkpoints.loadModel(path)
    const config = yield* decode(yield* store.config(run), run.configFile)
    const tokenizer = yield* tokenizerAt(config.tokenizer, run.tokenizer)
    const architecture = yield* architectureOf(config.model, tokenizer.vocabularySize)
    return { run, path, checkpoint, config, tokenizer, architecture }
  })

const choose = (directory: string, which: Which) =>
  Effect.gen(function* () {
    const checkpoints = yield* CheckpointStore
    const all = yield* checkpoints.list(directory)
    const missing = (details: string, remedy: string) =>
      new CheckpointError({ reason: "Missing", path: directory, details, remedy })
    const steps = all.map(({ step }) => step).join(", ")
    if (typeof which === "number") {
      const found = all.find(({ step }) => step === which)
      if (found !== undefined) return found.path
      return yield* missing(`There is no checkpoint of step ${which}.`, `There are those of steps ${steps || "none"}.`)
    }
    const newest = yield* checkpoints.newest(directory)
    if (newest === undefined) {
      return yield* missing("The run has no whole checkpoint yet.", "Go on with `codex train --resume`.")
    }
    const best = newest.checkpoint.state.best
    const bestPath = all.find(({ step }) => step === best?.step)?.path
    return which === "best" && bestPath !== undefined ? bestPath : newest.path
  })
