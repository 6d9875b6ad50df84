/**
 * Which run `--resume` means: the one that was named, or the newest whose config equals the one asked for.
 *
 * A run is its config: going on with another one would make bits that no config describes. Configs are compared as decoded,
 * so the order of keys, comments and defaults written out do not matter.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { formatPath, show } from "../core/config/ConfigIssue.ts"
import { RunConfig } from "../core/config/RunConfig.ts"
import * as ExitCode from "../core/ExitCode.ts"
import { type Run, RunStore } from "../services/runs/RunStore.ts"
import { decodeSaved } from "./RunPlan.ts"

/** No run has the config, so there is nothing to go on with. */
export class NothingToResume extends Schema.TaggedError<NothingToResume>()("NothingToResume", {
  root: Schema.String,
  runs: Schema.Number,
  /** The newest run, and where its config differs. */
  newest: Schema.optional(Schema.String),
  differences: Schema.Array(Schema.String)
}) {
  override get message() {
    if (this.runs === 0) return `${this.root}: there is no run to go on with. Start one without --resume.`
    const differs = this.differences.slice(0, 5).join(", ")
    return (
      `${this.root}: none of the ${this.runs} runs has this config, so there is none to go on with. ` +
      `The newest, ${this.newest}, differs in ${differs}. ` +
      "Start a new one without --resume, or name the run with --run."
    )
  }
}

/** A named run was made with another config than the one asked for. */
export class OtherConfig extends Schema.TaggedError<OtherConfig>()("OtherConfig", {
  run: Schema.String,
  differences: Schema.Array(Schema.String)
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    return (
      `${this.run}: this run was made with another config: ${this.differences.join(", ")}. ` +
      "Leave out --config and the overrides to go on as it was, or start a new run."
    )
  }
}

/** The newest run of this config. */
export const newest = (config: RunConfig) =>
  Effect.gen(function* () {
    const store = yield* RunStore
    const runs = yield* store.list
    let nearest: { readonly run: Run; readonly differences: ReadonlyArray<string> } | undefined
    for (const run of runs) {
      const saved = yield* Effect.either(configOf(run))
      if (Either.isLeft(saved)) continue
      const differences = difference(encoded(saved.right), encoded(config))
      if (differences.length === 0) return run
      nearest ??= { run, differences }
    }
    return yield* new NothingToResume({
      root: store.root,
      runs: runs.length,
      newest: nearest?.run.directory,
      differences: nearest?.differences ?? ["a config that cannot be read"]
    })
  })

/** A run that was named; when a config was asked for as well, the run must have it. */
export const named = (pathOrId: string, config: RunConfig | undefined) =>
  Effect.gen(function* () {
    const store = yield* RunStore
    const run = yield* store.open(pathOrId)
    const saved = yield* configOf(run)
    const differences = config === undefined ? [] : difference(encoded(saved), encoded(config))
    if (differences.length > 0) return yield* new OtherConfig({ run: run.directory, differences })
    return { run, config: saved }
  })

/** The config that a run was made with. */
export const configOf = (run: Run) =>
  Effect.gen(function* () {
    const store = yield* RunStore
    return yield* decodeSaved(yield* store.config(run), run.configFile)
  })

/** What decides a run's bits; how it is logged does not. */
const encoded = (config: RunConfig): unknown => {
  const { logging: _, ...deciding } = Schema.encodeSync(RunConfig)(config)
  return deciding
}

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Keys in which two configs differ: `training.lr (0.001 there, 0.002 here)`. */
const difference = (there: unknown, here: unknown, path: ReadonlyArray<string> = []): ReadonlyArray<string> => {
  if (isRecord(there) && isRecord(here)) {
    const keys = new Set([...Object.keys(there), ...Object.keys(here)])
    return [...keys].flatMap((key) => difference(there[key], here[key], [...path, key]))
  }
  return JSON.stringify(there) === JSON.stringify(here)
    ? []
    : [`${formatPath(path)} (${show(there)} there, ${show(here)} here)`]
}
