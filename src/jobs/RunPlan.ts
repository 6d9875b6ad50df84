/**
 * From files and overrides to the config of a run, in two steps, because the first says which plugins the second needs:
 * `compose` reads and merges, `decode` checks every section with the schema of the plugin that it names.
 *
 * A file of a group may be given as the config: `configs/training/base.yaml` means the `config.yaml` above it (or the one
 * that the package ships) with `training=base`. What is saved with a run is the decoded config, defaults included, so a
 * run means the same under a later version.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as EffectConfig from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Config from "../core/config/Config.ts"
import { fault } from "../core/config/ConfigIssue.ts"
import * as Node from "../core/config/ConfigNode.ts"
import { ConfigSource } from "../core/config/ConfigSource.ts"
import { LoggingConfig, RunConfig } from "../core/config/RunConfig.ts"
import { Dataset } from "../core/Dataset.ts"
import { MetricKind } from "../core/Metric.ts"
import { Model } from "../core/Model.ts"
import { Registry } from "../core/plugin/Registry.ts"
import { Tokenizer } from "../core/Tokenizer.ts"
import { TokenizerTrainer } from "../core/TokenizerTrainer.ts"
import { Tracker } from "../core/Tracker.ts"
import * as ConfigStore from "../services/config/ConfigStore.ts"
import { packagedConfigs } from "./Environment.ts"

/** A run's config, and a key that only the command knows: `+dry_run=true`. */
const Command = Schema.Struct({ ...RunConfig.fields, dry_run: Schema.optional(Schema.Boolean) })

const sections = ["model", "data", "tokenizer", "training"]

/** `configs/<name>.yaml` of the working directory when it is there, else the one that the package ships. */
export const defaultFile = (name: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const own = path.join("configs", `${name}.yaml`)
    const isThere = yield* Effect.orElseSucceed(fs.exists(own), () => false)
    return isThere ? own : path.join(packagedConfigs(), `${name}.yaml`)
  })

/**
 * Composes the config that a file stands for. The device and threads of CODEX_DEVICE and CODEX_THREADS are taken where the
 * config says nothing of them.
 */
export const compose = (file: string, overrides: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const plain = yield* Config.compose({ primary: file, overrides: [], schema: Command })
    const whole = plain.root.entries.size === 0 || sections.some((section) => plain.root.entries.has(section))
    const group = whole ? undefined : yield* groupOf(file)
    const composed =
      group === undefined
        ? yield* Config.compose({ primary: file, overrides, schema: Command })
        : yield* composeGroup(group, file, overrides)
    return { ...composed, root: yield* withEnvironment(composed.root) }
  })

interface GroupFile {
  readonly primary: string
  readonly choice: string
}

/** The config whose defaults list has the group in whose folder the file lies. */
const groupOf = (file: string): Effect.Effect<GroupFile | undefined, never, ConfigSource | Path.Path> =>
  Effect.gen(function* () {
    const source = yield* ConfigSource
    const path = yield* Path.Path
    const folder = path.dirname(path.resolve(file))
    const [group, name] = [path.basename(folder), path.basename(file, path.extname(file))]
    for (const directory of [path.dirname(folder), packagedConfigs()]) {
      const primary = path.join(directory, "config.yaml")
      const document = yield* Effect.option(source.primary(primary))
      const defaults = Option.isSome(document) ? document.value.root.entries.get("defaults") : undefined
      const named = defaults?._tag === "List" && defaults.items.some((item) => Node.get(item, [group]) !== undefined)
      if (named) return { primary, choice: `${group}=${name}` }
    }
    return undefined
  })

const composeGroup = ({ choice, primary }: GroupFile, file: string, overrides: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const composed = yield* Config.compose({ primary, overrides: [choice, ...overrides], schema: Command })
    const taken = composed.files.some((other) => path.resolve(other) === path.resolve(file))
    if (taken) return composed
    return yield* fault(file, `${choice} of ${primary} is another file; put a config.yaml above this one's folder`)
  })

const withEnvironment = (root: Node.MapNode) =>
  Effect.gen(function* () {
    const variables = {
      device: yield* Effect.orDie(EffectConfig.option(EffectConfig.string("CODEX_DEVICE"))),
      threads: yield* Effect.orDie(EffectConfig.option(EffectConfig.string("CODEX_THREADS")))
    }
    let result = root
    for (const [key, value] of Object.entries(variables)) {
      if (Option.isNone(value) || Node.get(root, ["backend", key]) !== undefined) continue
      const text = value.value
      const node = Node.scalar(/^\d+$/.test(text) ? Number(text) : text, `CODEX_${key.toUpperCase()}`)
      result = Node.insert(result, ["backend", key], node)
    }
    return result
  })

/** The config of a run, with every key checked. */
export interface Loaded {
  readonly config: RunConfig
  /** As YAML: what is saved with the run. */
  readonly text: string
  readonly dryRun: boolean
}

export type { Composed } from "../core/config/Config.ts"

/** The packages that a composed config takes plugins from, before anything is checked. */
export const pluginsOf = (composed: Config.Composed): ReadonlyArray<string> => {
  const plugins = Node.get(composed.root, ["plugins"])
  return plugins?._tag === "List"
    ? plugins.items.flatMap((item) => (item._tag === "Scalar" && typeof item.value === "string" ? [item.value] : []))
    : []
}

/** What a composed config says of logging, before anything is checked; the defaults where that is wrong. */
export const loggingOf = (composed: Config.Composed): LoggingConfig => {
  const section = Node.get(composed.root, ["logging"])
  const given = section === undefined ? {} : Node.toValue(section)
  return Option.getOrElse(Schema.decodeUnknownOption(LoggingConfig)(given), () => Schema.decodeSync(LoggingConfig)({}))
}

/** Checks a composed config: its own keys, and each plugin's. */
export const decode = (composed: Config.Composed): Effect.Effect<Loaded, DecodeError, Registry> =>
  Effect.gen(function* () {
    const { dry_run, ...config } = yield* Config.decode(Command, composed)
    yield* checkPlugins(config, composed)
    return { config, text: textOf(config), dryRun: dry_run ?? false }
  })

type DecodeError = Effect.Effect.Error<ReturnType<typeof checkPlugins>>

const checkPlugins = (config: RunConfig, composed: Config.Composed) =>
  Effect.gen(function* () {
    const registry = yield* Registry
    yield* Config.plugin(composed, Model.kind, ["model"])
    yield* Config.plugin(composed, Dataset.kind, ["data"])
    const { name, train } = config.tokenizer
    if (train === undefined) yield* Config.plugin(composed, Tokenizer.kind, ["tokenizer"])
    else {
      yield* Config.plugin(composed, TokenizerTrainer.kind, ["tokenizer", "train"], name)
      // A tokenizer that is yet to be trained has no path; the run gives it one.
      const path = Node.scalar("tokenizer", "the run")
      const root = Node.insert(Node.remove(composed.root, ["tokenizer", "train"]), ["tokenizer", "path"], path)
      yield* Config.plugin({ ...composed, root }, Tokenizer.kind, ["tokenizer"])
    }
    for (const tracker of Object.keys(config.tracking)) {
      yield* Config.plugin(composed, Tracker.kind, ["tracking", tracker], tracker)
    }
    for (const metric of config.evaluation.metrics) yield* registry.decode(MetricKind, metric, {})
  })

/** A config as canonical YAML: equal configs give equal texts. */
export const textOf = (config: RunConfig): string => ConfigStore.toYaml(Schema.encodeSync(RunConfig)(config))

/** The config saved with a run. */
export const decodeSaved = (yaml: string, file: string): Effect.Effect<RunConfig, Config.ConfigError> =>
  Effect.gen(function* () {
    const root = yield* ConfigStore.parseYaml(yaml, file)
    if (root._tag !== "Map") return yield* fault(file, "a run's config must be a map; restore the file")
    return yield* Config.decode(RunConfig, { root, files: [file] })
  })
