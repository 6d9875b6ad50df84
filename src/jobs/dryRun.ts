/**
 * The job behind `codex train +dry_run=true`: everything up to and including one update, without a run.
 *
 * Composes and checks all parts, builds and compiles the graphs, does a first update to warm up and measures a second one.
 * The tokenizer lies in a temporary directory; the token cache, which a real run shares, is filled. Nothing is written
 * under `runs/`.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import type { RunConfig } from "../core/config/RunConfig.ts"
import { Registry } from "../core/plugin/Registry.ts"
import { Tracker } from "../core/Tracker.ts"
import type { ParameterSpecs } from "../core/tensor/Module.ts"
import type { Started, Step } from "../core/training/TrainEvent.ts"
import * as Session from "../core/training/TrainingSession.ts"
import type { OnEvent, Prepared } from "./JobEvent.ts"
import { partsOf } from "./RunComponents.ts"
import { preparedOf, sessionOptions } from "./TrainingRun.ts"
import { TokenizerFilesError } from "./tokenizers/Save.ts"

export interface DryRun {
  readonly prepared: Prepared
  readonly parameters: ParameterSpecs
  readonly started: Started
  /** The measured update. */
  readonly step: Step
}

export const dryRun = (config: RunConfig, onEvent: OnEvent) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const directory = yield* fs
      .makeTempDirectoryScoped({ prefix: "codex-dry-run-" })
      .pipe(Effect.mapError((cause) => new TokenizerFilesError({ path: "the temporary directory", cause })))
    const parts = yield* partsOf(config, paths.join(directory, "tokenizer"), onEvent)
    const registry = yield* Registry
    for (const [name, section] of Object.entries(config.tracking)) yield* registry.resolve(Tracker.kind, name, section)
    const options = yield* sessionOptions(config, parts, { files: {}, provenance: {}, resume: undefined })
    const session = yield* Session.make(options)
    yield* session.step
    const step = yield* session.step
    const prepared = preparedOf("", parts, options.contextLength)
    return { prepared, parameters: parts.architecture.parameters, started: session.started, step }
  }).pipe(Effect.scoped)
