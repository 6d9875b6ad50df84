/**
 * The components that a run config names, resolved through the Registry: dataset, tokenizer, architecture, token files. A
 * component that was given as a service in code takes precedence over its section.
 *
 * A tokenizer section with `train` is trained on the training text first; its files go to a directory, and the
 * tokenizer plugin of the same name loads them from there. A directory that has them already (a resumed run) is not
 * trained again.
 */

import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { PluginSection, TokenizerSection } from "../core/config/RunConfig.ts"
import { Dataset, type Split } from "../core/Dataset.ts"
import type { DatasetIdentity } from "../core/data/DatasetIdentity.ts"
import { TokenCache, type TokenFile } from "../core/data/TokenFile.ts"
import { isScorable } from "../core/evaluation/Evaluation.ts"
import { type Architecture, Model } from "../core/Model.ts"
import { Registry } from "../core/plugin/Registry.ts"
import { Tokenizer } from "../core/Tokenizer.ts"
import { TokenizerTrainer } from "../core/TokenizerTrainer.ts"
import { Prepared, Preparing, type RunEvent } from "../core/training/TrainEvent.ts"
import type { TrainingSessionOptions } from "../core/training/TrainingSession.ts"
import { writeFiles } from "../services/files/AtomicFiles.ts"
import { checkFiles } from "./DataSection.ts"
import { givenInCode, type RunPlan } from "./RunPlan.ts"

/** Called with every event, in order. */
export type OnEvent = (event: RunEvent) => Effect.Effect<void>

/** A run was made with a service that no config can name, and it was not passed again. */
export class ServiceNotGiven extends Schema.TaggedError<ServiceNotGiven>()("ServiceNotGiven", {
  part: Schema.Literal("data", "tokenizer", "model")
}) {
  override get message() {
    return (
      `The ${this.part} of this run was given as a service in code, so the saved config does not describe it. ` +
      `Pass it again: Run.open(path, { ${this.part} }).`
    )
  }
}

/** A component by value, or by its section. */
const component = <A, E, R>(
  part: ServiceNotGiven["part"],
  section: PluginSection,
  given: A | undefined,
  resolve: (registry: Registry.Service, config: { readonly [key: string]: unknown }) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | ServiceNotGiven, R | Registry> => {
  if (given !== undefined) return Effect.succeed(given)
  const { name, ...config } = section
  if (name === givenInCode) return new ServiceNotGiven({ part })
  return Effect.flatMap(Registry, (registry) => resolve(registry, config))
}

export const datasetOf = (section: PluginSection, given?: Dataset.Service) =>
  component("data", section, given, (registry, config) => registry.resolve(Dataset.kind, section.name, config))

export const architectureOf = (section: PluginSection, vocabularySize: number, given?: Model.Service) =>
  Effect.flatMap(
    component("model", section, given, (registry, config) => registry.resolve(Model.kind, section.name, config)),
    (model) => model.architecture({ vocabularySize })
  )

/** The tokenizer of a section whose files, if it was trained, are in `directory`. */
export const tokenizerAt = (section: TokenizerSection, directory: string, given?: Tokenizer.Service) =>
  component("tokenizer", section, given, (registry, { train, ...config }) =>
    registry.resolve(Tokenizer.kind, section.name, train === undefined ? config : { ...config, path: directory })
  )

/** Trains the tokenizer of a section on the training split, if the section says so and it does not exist yet. */
export const tokenizerOf = (
  section: TokenizerSection,
  dataset: Dataset.Service,
  directory: string,
  options: { readonly onEvent: OnEvent; readonly given?: Tokenizer.Service | undefined }
) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const registry = yield* Registry
    if (section.train !== undefined && options.given === undefined) {
      const present = yield* Effect.orElseSucceed(fs.readDirectory(directory), () => [])
      if (present.length === 0) {
        const trainer = yield* registry.resolve(TokenizerTrainer.kind, section.name, section.train)
        let [documents, bytes] = [0, 0]
        const texts = dataset.documents("train").pipe(
          Stream.tap(({ text }) => {
            documents += 1
            bytes += new TextEncoder().encode(text).length
            return options.onEvent(new Preparing({ stage: "tokenizer", documents, bytes }))
          }),
          Stream.map(({ text }) => text)
        )
        const trained = yield* trainer.train(texts)
        yield* writeFiles(directory, trained.files)
      }
    }
    return yield* tokenizerAt(section, directory, options.given)
  })

/** The token files of both splits. */
export const tokenFilesOf = (dataset: Dataset.Service, tokenizer: Tokenizer.Service, onEvent: OnEvent) =>
  Effect.gen(function* () {
    const cache = yield* TokenCache
    const open = (split: Split) =>
      cache.open({
        dataset,
        tokenizer,
        split,
        onProgress: (done) => onEvent(new Preparing({ stage: "tokens", ...done }))
      })
    return { train: yield* open("train"), validation: yield* open("validation") }
  })

/** The components of a run, ready to train with. */
export interface RunComponents {
  /** What the dataset was when it was read. */
  readonly identity: DatasetIdentity
  readonly tokenizer: Tokenizer.Service
  readonly architecture: Architecture
  readonly tokens: { readonly [split in Split]: TokenFile }
}

/** Decides whether a run may use this data and tokenizer, before the text is tokenized. */
export type Check<E> = (found: Pick<RunComponents, "identity" | "tokenizer">) => Effect.Effect<void, E>

/**
 * All components of a run whose tokenizer is (or will be) in `directory`. They live as long as the scope, except the dataset: files
 * are looked for again by whoever needs them next, since they may have changed.
 */
export const make = <E = never>(
  { config, datasetChosen, services }: Pick<RunPlan, "config" | "datasetChosen" | "services">,
  directory: string,
  { check = () => Effect.void, onEvent }: { readonly onEvent: OnEvent; readonly check?: Check<E> }
) =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    return yield* Effect.scoped(
      Effect.gen(function* () {
        const dataset = yield* datasetOf(config.data, services.data)
        if (!datasetChosen) yield* checkFiles(config.data.name, dataset.files, "data.paths")
        const identity = yield* dataset.identity
        const given = { onEvent, given: services.tokenizer }
        const tokenizer = yield* Scope.extend(tokenizerOf(config.tokenizer, dataset, directory, given), scope)
        yield* check({ identity, tokenizer })
        const architecture = yield* Scope.extend(
          architectureOf(config.model, tokenizer.vocabularySize, services.model),
          scope
        )
        const tokens = yield* Scope.extend(tokenFilesOf(dataset, tokenizer, onEvent), scope)
        return { identity, tokenizer, architecture, tokens } satisfies RunComponents
      })
    )
  })

/** The texts of a session, without held-out text that has nothing to score. */
export const scorable = ({ tokenizer, tokens: { train, validation } }: Pick<RunComponents, "tokenizer" | "tokens">) =>
  Effect.map(isScorable(validation, tokenizer), (scorable) => ({
    train,
    validation: scorable ? validation : undefined
  }))

/** What a run will train on. `run` is its directory. */
export const preparedOf = (
  run: string,
  tokenizer: Tokenizer.Service,
  tokens: TrainingSessionOptions["tokens"],
  contextLength: number
) =>
  new Prepared({
    run,
    vocabularySize: tokenizer.vocabularySize,
    trainDocuments: tokens.train.documents,
    trainTokens: tokens.train.length,
    trainBytes: tokens.train.bytes,
    validationDocuments: tokens.validation?.documents ?? 0,
    validationTokens: tokens.validation?.length ?? 0,
    contextLength
  })
