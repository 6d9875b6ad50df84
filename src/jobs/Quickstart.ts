/**
 * The job behind `codex quickstart`: a config that was made for one text is fitted to another, then trained.
 *
 * The tokenizer is trained and the text tokenized before there is a run, because only then it is known how large a
 * vocabulary and how long a context the text allows. `codex train` would refuse such a config; here the changes are reported.
 * The run starts with the tokenizer that was trained here. Without a prompt in the config, the run's is the first words of the
 * held-out text.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Scope from "effect/Scope"
import * as Node from "../core/config/ConfigNode.ts"
import { Registry } from "../core/plugin/Registry.ts"
import { TokenizerTrainError } from "../core/TokenizerTrainer.ts"
import { writeFiles } from "../services/files/AtomicFiles.ts"
import { FileError } from "../services/files/FileError.ts"
import { RunStore } from "../services/runs/RunStore.ts"
import { checkFiles } from "./DataSection.ts"
import { Environment } from "./Environment.ts"
import * as Run from "./Run.ts"
import { architectureOf, datasetOf, type OnEvent, tokenFilesOf, tokenizerOf } from "./RunComponents.ts"
import { promptOf } from "./RunGeneration.ts"
import * as RunPlan from "./RunPlan.ts"

/** A setting that the text does not allow, and the value that it gets instead. */
export interface Change {
  readonly key: string
  readonly from: number
  readonly to: number
}

/** A plan that fits the text. */
export interface Fitted {
  readonly plan: RunPlan.RunPlan
  readonly changes: ReadonlyArray<Change>
  /** Files of the tokenizer that was trained on the way; none if the config trains none. */
  readonly tokenizer: { readonly [fileName: string]: string }
}

/** Passes over a short text after which a model knows it by heart. */
const mostEpochs = 30

/** A text this much longer than the context leaves something to shuffle. */
const leastWindows = 8

/** Fits a config to its text, trains it, and returns the run. `onChanges` is called if the config had to change. */
export const train = (
  composed: RunPlan.Composed,
  options: Run.TrainHooks & { readonly onChanges?: (changes: ReadonlyArray<Change>) => Effect.Effect<void> } = {}
) =>
  Effect.gen(function* () {
    const { onChanges = () => Effect.void, onEvent = () => Effect.void, resume = false } = options
    const { files } = yield* Environment
    const fitted = yield* fitToText(composed, onEvent)
    if (fitted.changes.length > 0) yield* onChanges(fitted.changes)
    return yield* Run.trainPlan(fitted.plan, {
      onEvent,
      resume: resume || (yield* Effect.provide(begin(fitted), files))
    })
  })

/** A new run of a fitted plan, which has its tokenizer already. Training takes the lock that is released here. */
const begin = ({ plan: { config, text }, tokenizer }: Fitted) =>
  Effect.gen(function* () {
    const store = yield* RunStore
    const run = yield* store.create({ name: config.name, config: text })
    if (Object.keys(tokenizer).length > 0) yield* writeFiles(run.tokenizer, tokenizer)
    return run
  }).pipe(Effect.scoped)

/**
 * Fits vocabulary, context, batch and length of training to the text. Texts too short for any of it fail as in training. The
 * dataset lives as long as the scope, so that what follows need not read it again.
 */
export const fitToText = (composed: RunPlan.Composed, onEvent: OnEvent) =>
  Effect.gen(function* () {
    const { files, registry } = yield* Environment
    const plugins = yield* registry(RunPlan.pluginsOf(composed))
    const scope = yield* Effect.scope
    return yield* fitIn(composed, onEvent, scope).pipe(
      Effect.scoped,
      Effect.provide(Context.add(files, Registry, plugins))
    )
  })

const fitIn = (composed: RunPlan.Composed, onEvent: OnEvent, scope: Scope.Scope) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const temporary = yield* fs
      .makeTempDirectoryScoped({ prefix: "codex-quickstart-" })
      .pipe(Effect.mapError(FileError.from("the temporary directory", "write")))
    const directory = paths.join(temporary, "tokenizer")
    const asked = yield* RunPlan.decode(composed)
    const dataset = yield* Scope.extend(datasetOf(asked.config.data), scope)
    if (!asked.datasetChosen) yield* checkFiles(asked.config.data.name, dataset.files, "data.paths")
    const changes: Array<Change> = []
    let current = composed
    const change = (path: Node.Path, from: number, to: number) => {
      if (from === to) return
      changes.push({ key: path.join("."), from, to })
      current = { ...current, root: Node.insert(current.root, path, Node.scalar(to, "quickstart")) }
    }

    let { config } = asked
    const tokenizer = yield* Effect.gen(function* () {
      const first = yield* Effect.either(tokenizerOf(config.tokenizer, dataset, directory, { onEvent }))
      if (Either.isRight(first)) return first.right
      const largest = first.left instanceof TokenizerTrainError ? first.left.largest : undefined
      const wanted = config.tokenizer.train?.vocab_size
      if (largest === undefined || typeof wanted !== "number") return yield* first.left
      change(["tokenizer", "train", "vocab_size"], wanted, largest)
      config = (yield* RunPlan.decode(current)).config
      return yield* tokenizerOf(config.tokenizer, dataset, directory, { onEvent })
    })

    const { train } = yield* tokenFilesOf(dataset, tokenizer, onEvent)
    const architecture = yield* architectureOf(config.model, tokenizer.vocabularySize)
    const context = config.training.context_length ?? architecture.contextLength
    const fitting = powerOfTwo(Math.floor((train.length - 1) / leastWindows))
    if (fitting >= 4 && fitting < context) {
      if (config.training.context_length !== undefined) change(["training", "context_length"], context, fitting)
      change(["model", "max_position_embeddings"], architecture.contextLength, fitting)
      const stride = config.evaluation.stride
      if (stride !== undefined && stride > fitting / 2) change(["evaluation", "stride"], stride, fitting / 2)
    }
    const windows = Math.max(1, Math.floor((train.length - 1) / Math.min(context, Math.max(4, fitting))))
    const batch = Math.min(config.training.batch_size, windows)
    if (batch % config.training.gradient_accumulation_steps === 0) {
      change(["training", "batch_size"], config.training.batch_size, batch)
    }
    const steps = config.training.max_steps
    if (steps !== undefined) {
      const most = Math.max(100, mostEpochs * Math.floor(windows / batch))
      change(["training", "max_steps"], steps, Math.min(steps, most))
    }
    if (config.generation.prompt === "") {
      const prompt = Node.scalar(yield* promptOf(dataset), "quickstart")
      current = { ...current, root: Node.insert(current.root, ["generation", "prompt"], prompt) }
    }
    const plan = yield* RunPlan.decode(current)
    return { plan, changes, tokenizer: config.tokenizer.train === undefined ? {} : tokenizer.files } satisfies Fitted
  })

const powerOfTwo = (most: number): number => (most < 1 ? 0 : 2 ** Math.floor(Math.log2(most)))
