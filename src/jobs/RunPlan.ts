/**
 * From files, overrides and values to the config of a run, in two steps, because the first says which plugins the second needs:
 * `compose` reads and merges, `decode` checks every section with the schema of the plugin that it names.
 *
 * A file of a group may be given as the config: `configs/training/base.yaml` means the `config.yaml` above it (or the one
 * that the package ships) with `training=base`. A project without `configs/` has those of the package. What is saved with a
 * run is the decoded config, defaults included, so a run means the same under a later version.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Config from "../core/config/Config.ts"
import { fault } from "../core/config/ConfigIssue.ts"
import { pathsOf } from "../core/config/ConfigKeys.ts"
import * as Node from "../core/config/ConfigNode.ts"
import { ConfigSource, type Document } from "../core/config/ConfigSource.ts"
import { pluginOf } from "../core/config/PluginSections.ts"
import { LoggingConfig, type PluginSection, RunConfig, type TokenizerSection } from "../core/config/RunConfig.ts"
import { Dataset } from "../core/Dataset.ts"
import * as Limits from "../core/data/Limits.ts"
import { Metric } from "../core/Metric.ts"
import { Model } from "../core/Model.ts"
import { Registry } from "../core/plugin/Registry.ts"
import { Tokenizer } from "../core/Tokenizer.ts"
import { TokenizerTrainer } from "../core/TokenizerTrainer.ts"
import { Tracker } from "../core/Tracker.ts"
import { metricPlugins, trackerPlugins } from "../plugins/builtins.ts"
import * as ConfigStore from "../services/config/ConfigStore.ts"
import {
  checkPaths,
  type Data,
  dataSection,
  datasetSection,
  hasDocuments,
  isChosen,
  isDataset,
  isPaths
} from "./DataSection.ts"
import { packagedConfigs } from "./Environment.ts"
import * as KnownKeys from "./KnownKeys.ts"

/** A run's config, and a key that only the command knows: `+dry_run=true`. */
const Command = Schema.Struct({ ...RunConfig.fields, dry_run: Schema.optional(Schema.Boolean) })

export type { Data, Paths } from "./DataSection.ts"

const sections = ["model", "data", "tokenizer", "training"] as const

/**
 * What a run is made of, in code. Each part is a name (a file of its group in `configs/`, or a plugin), the section of a config,
 * or a service. A service cannot be saved in a config, so opening such a run again needs it again.
 */
export interface Parts {
  /** Documents in an array; a path or a pattern as a string; several in `{ paths }`; a plugin's section; or a Dataset. */
  readonly data: Data | Dataset.Service
  /** `"byte"`, `{ name: "bpe", train: { vocab_size: 1024 } }`, or a Tokenizer. */
  readonly tokenizer: string | TokenizerSection | Tokenizer.Service
  /** `"tiny"`, `{ name: "decoder", … }`, or a Model. */
  readonly model: string | PluginSection | Model.Service
}

/** The other sections of a config; each key has the default of its schema. */
export interface Settings extends Partial<Omit<typeof RunConfig.Encoded, keyof Parts>> {}

/** A config file with overrides in the notation of the command line; parts and settings override both. */
export interface FromFile extends Partial<Parts>, Settings {
  readonly config: string
  readonly overrides?: ReadonlyArray<string>
}

/** Parts and settings alone. */
export interface FromParts extends Parts, Settings {
  readonly config?: never
  readonly overrides?: ReadonlyArray<string>
}

/** What a config can be made of: a file, or parts in code. */
export type ConfigOptions = FromFile | FromParts

/** Services that were given in code in the place of a section. */
export interface Services {
  readonly data?: Dataset.Service | undefined
  readonly tokenizer?: Tokenizer.Service | undefined
  readonly model?: Model.Service | undefined
}

/** The name that a saved config has in the place of such a service. No plugin can have it. */
export const givenInCode = "(given in code)"

/** A composed config, with the services that were given in code. */
export interface Composed extends Config.Composed {
  readonly services?: Services
}

/** The config of a run, with every key checked. */
export interface RunPlan {
  readonly config: RunConfig
  /** As YAML: what is saved with the run. */
  readonly text: string
  readonly dryRun: boolean
  readonly services: Services
  /** Whether `data.name` was chosen by whoever gave the paths, so that it reads files of any name. */
  readonly datasetChosen: boolean
}

/** `configs/<name>.yaml` of the working directory if it exists, else the one that the package ships. */
export const defaultFile = (name: string) =>
  Effect.flatMap(Path.Path, (path) => locate(path.join("configs", `${name}.yaml`)))

/** The file itself; if it does not exist and is below `configs/`, the one of this name that the package ships. */
const locate = (file: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const exists = (candidate: string) => Effect.orElseSucceed(fs.exists(candidate), () => false)
    const shipped = path.join(packagedConfigs(), path.relative("configs", file))
    const isBelow = !path.isAbsolute(file) && path.normalize(file).startsWith(`configs${path.sep}`)
    return !(yield* exists(file)) && isBelow && (yield* exists(shipped)) ? shipped : file
  })

/** Finds further keys for the suggestion in an error, see `Config.ComposeOptions`. */
type FindKeys = Config.ComposeOptions["keys"]

/** Composes the config that a file means. */
export const compose = (given: string, overrides: ReadonlyArray<string> = [], keys?: FindKeys) =>
  Effect.gen(function* () {
    const file = yield* locate(given)
    const plain = yield* Config.compose({ primary: file, overrides: [], schema: Command })
    const whole = plain.root.entries.size === 0 || sections.some((section) => plain.root.entries.has(section))
    const group = whole ? undefined : yield* groupOf(file)
    return group === undefined
      ? yield* Config.compose({ primary: file, overrides, schema: Command, ...(keys && { keys }) })
      : yield* composeGroup(group, file, overrides, keys)
  })

interface GroupFile {
  readonly primary: string
  readonly choice: string
}

/** The config whose defaults list has the group in whose folder the file is. */
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

const composeGroup = (
  { choice, primary }: GroupFile,
  file: string,
  overrides: ReadonlyArray<string>,
  keys: FindKeys | undefined
) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const chosen = [choice, ...overrides]
    const composed = yield* Config.compose({ primary, overrides: chosen, schema: Command, ...(keys && { keys }) })
    const taken = composed.files.some((other) => path.resolve(other) === path.resolve(file))
    if (taken) return composed
    return yield* fault(file, `${choice} of ${primary} is another file; put a config.yaml above this one's folder`)
  })

/** Composes a config from a file, from parts and settings in code, or from both. */
export const composeOptions = (
  { config, data, model, overrides = [], tokenizer, ...settings }: ConfigOptions,
  keys?: FindKeys
) =>
  Effect.gen(function* () {
    const services = {
      data: isDataset(data) ? data : undefined,
      tokenizer: isTokenizer(tokenizer) ? tokenizer : undefined,
      model: isModel(model) ? model : undefined
    }
    const chosen = [
      yield* choose("model", services.model === undefined ? model : { name: givenInCode }),
      yield* choose("tokenizer", services.tokenizer === undefined ? tokenizer : { name: givenInCode })
    ]
    const choices = chosen.flatMap(({ choice }) => (choice === undefined ? [] : [choice]))
    const composed =
      config === undefined
        ? yield* composeInCode(choices, overrides, keys)
        : yield* compose(config, [...choices.map(([group, name]) => `${group}=${name}`), ...overrides], keys)
    const section = isDataset(data) ? { name: givenInCode } : data === undefined ? undefined : dataSection(data)
    const deep = Limits.tooDeep({ ...settings, data: section, ...chosen.map(({ value }) => value) })
    if (deep !== undefined) {
      return yield* fault(inCode, `more than ${Limits.depth} objects and arrays are inside each other`, deep)
    }
    const values = Object.assign({}, settings, section && { data: section }, ...chosen.map(({ value }) => value))
    // A part replaces the section of a file; settings are merged into it.
    const root = sections.reduce(
      (node, key) => (key !== "training" && key in values ? Node.remove(node, [key]) : node),
      composed.root
    )
    return { ...composed, root: Node.merge(root, Node.fromRecord(values, inCode)), services } satisfies Composed
  })

const inCode = "Run.train"

/** A config whose only content is a defaults list of these choices. Groups are searched from the working directory. */
const composeInCode = (
  choices: ReadonlyArray<readonly [string, string]>,
  overrides: ReadonlyArray<string>,
  keys: FindKeys | undefined
) =>
  Effect.gen(function* () {
    const source = yield* ConfigSource
    const defaults = choices.map(([group, name]) => ({ [group]: name }))
    const document: Document = { path: inCode, root: Node.fromRecord({ defaults }, inCode), packageName: undefined }
    const primary = (path: string) => (path === inCode ? Effect.succeed(document) : source.primary(path))
    return yield* Config.compose({ primary: inCode, overrides, schema: Command, ...(keys && { keys }) }).pipe(
      Effect.provideService(ConfigSource, { ...source, primary })
    )
  })

/** A name is the choice of a group if the group has a file of that name, else a plugin. */
const choose = (group: string, part: string | Model.Service | Tokenizer.Service | PluginSection | undefined) =>
  Effect.gen(function* () {
    if (typeof part !== "string") return part === undefined ? {} : { value: { [group]: part } }
    const source = yield* ConfigSource
    const from = { path: inCode, root: Node.map([], inCode), packageName: undefined }
    const file = yield* source.find(group, part, from)
    return file === undefined ? { value: { [group]: { name: part } } } : { choice: [group, part] as const }
  })

const isTokenizer = (tokenizer: unknown): tokenizer is Tokenizer.Service =>
  Predicate.hasProperty(tokenizer, "encode") && Predicate.isFunction(tokenizer.encode)

const isModel = (model: unknown): model is Model.Service =>
  Predicate.hasProperty(model, "architecture") && Predicate.isFunction(model.architecture)

/** The packages from which a composed config takes plugins, before anything is checked. */
export const pluginsOf = (composed: Config.Composed): ReadonlyArray<string> => {
  const plugins = Node.get(composed.root, ["plugins"])
  return plugins?._tag === "List"
    ? plugins.items.flatMap((item) => (item._tag === "Scalar" && typeof item.value === "string" ? [item.value] : []))
    : []
}

/** The logging settings of a composed config, before anything is checked; the defaults where they are wrong. */
export const loggingOf = (composed: Config.Composed): LoggingConfig => {
  const section = Node.get(composed.root, ["logging"])
  const given = section === undefined ? {} : Node.toValue(section)
  return Option.getOrElse(Schema.decodeUnknownOption(LoggingConfig)(given), () => Schema.decodeSync(LoggingConfig)({}))
}

/** Checks a composed config: its own keys, and each plugin's. */
export const decode = (written: Composed): Effect.Effect<RunPlan, DecodeError, Registry> =>
  Effect.gen(function* () {
    const composed = withDefaultPlugins(yield* withTrainer(yield* withDatasetName(written)))
    return yield* decodeComposed(composed).pipe(
      Effect.catchTag("ConfigError", KnownKeys.suggest(composed, pathsOf(Command.ast)))
    )
  })

const decodeComposed = (composed: Composed) =>
  Effect.gen(function* () {
    const { dry_run, ...config } = yield* Config.decode(Command, composed)
    const services = composed.services ?? {}
    yield* checkPlugins(config, composed, services)
    return { config, text: textOf(config), dryRun: dry_run ?? false, services, datasetChosen: isChosen(composed) }
  })

/** A tokenizer of which only the name is known is trained with the defaults of its trainer, if it has one. */
const withTrainer = (composed: Composed) =>
  Effect.map(Registry, (registry): Composed => {
    const section = Node.get(composed.root, ["tokenizer"])
    const name = pluginOf(composed.root, ["tokenizer"])
    const trains = registry.list(TokenizerTrainer.kind.name).some((trainer) => trainer.name === name)
    if (section?._tag !== "Map" || section.entries.size > 1 || !trains) return composed
    const train = Node.map([], section.origin)
    return { ...composed, root: Node.insert(composed.root, ["tokenizer", "train"], train) }
  })

/** Data in code, and a config's `data` with `paths` alone, name no plugin. */
const withDatasetName = (composed: Composed) =>
  Effect.gen(function* () {
    const section = Node.get(composed.root, ["data"])
    const data = section === undefined ? undefined : Node.toValue(section)
    if (Predicate.hasProperty(data, "name") || !(isPaths(data) || hasDocuments(data))) return composed
    const { name } = yield* datasetSection(isPaths(data) ? data : data.documents)
    const root = Node.insert(composed.root, ["data", "name"], Node.scalar(name, theDefaults))
    return { ...composed, root }
  })

/** The origin of what nobody wrote. */
const theDefaults = "the defaults"

/** Core knows no plugin, so these defaults cannot be in the schema. They are saved with the run as if they had been written. */
const withDefaultPlugins = (composed: Composed): Composed => {
  const defaults = { evaluation: { metrics: [...metricPlugins] }, tracking: trackerPlugins }
  const missing = Node.fromRecord(
    Node.get(composed.root, ["tracking"]) === undefined ? defaults : { evaluation: defaults.evaluation },
    theDefaults
  )
  return { ...composed, root: Node.merge(missing, composed.root) }
}

type DecodeError = Effect.Effect.Error<ReturnType<typeof checkPlugins>>

const checkPlugins = (config: RunConfig, composed: Config.Composed, services: Services) =>
  Effect.gen(function* () {
    const registry = yield* Registry
    if (services.model === undefined) yield* Config.plugin(composed, Model.kind, ["model"])
    if (services.data === undefined) {
      yield* Config.plugin(composed, Dataset.kind, ["data"])
      yield* checkPaths(composed, registry.list(Dataset.kind.name))
    }
    if (services.tokenizer === undefined) yield* checkTokenizer(config.tokenizer, composed)
    for (const tracker of Object.keys(config.tracking ?? {})) {
      yield* Config.plugin(composed, Tracker.kind, ["tracking", tracker], tracker)
    }
    for (const [i, metric] of (config.evaluation.metrics ?? []).entries()) {
      const path = ["evaluation", "metrics", String(i)]
      yield* registry
        .decode(Metric.kind, metric, {})
        .pipe(
          Effect.catchTag("UnknownPlugin", (error) => fault(Node.originOf(composed.root, path), error.message, path))
        )
    }
  })

const checkTokenizer = ({ name, train }: TokenizerSection, composed: Config.Composed) =>
  Effect.gen(function* () {
    if (train === undefined) return yield* Config.plugin(composed, Tokenizer.kind, ["tokenizer"])
    yield* Config.plugin(composed, TokenizerTrainer.kind, ["tokenizer", "train"], name)
    // A tokenizer that is yet to be trained has no path; the run gives it one.
    const path = Node.scalar("tokenizer", "the run")
    const root = Node.insert(Node.remove(composed.root, ["tokenizer", "train"]), ["tokenizer", "path"], path)
    return yield* Config.plugin({ ...composed, root }, Tokenizer.kind, ["tokenizer"])
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
