/**
 * The parts that a run config names, resolved through the Registry: dataset, tokenizer, architecture, token files.
 *
 * A tokenizer section with `train` is trained on the training text first; its files go to a directory, and the tokenizer
 * plugin of the same name loads them from there. A directory that has them already (a resumed run) is used as it is.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { PluginSection, RunConfig, TokenizerSection } from "../core/config/RunConfig.ts"
import { Dataset } from "../core/Dataset.ts"
import { TokenCache } from "../core/data/TokenFile.ts"
import { Model } from "../core/Model.ts"
import { Registry } from "../core/plugin/Registry.ts"
import { Tokenizer } from "../core/Tokenizer.ts"
import { TokenizerTrainer } from "../core/TokenizerTrainer.ts"
import { type OnEvent, Preparing } from "./JobEvent.ts"
import { saveTokenizer, TokenizerFilesError } from "./tokenizers/Save.ts"

const withoutName = ({ name: _, ...config }: PluginSection): unknown => config

export const datasetOf = (section: PluginSection) =>
  Effect.flatMap(Registry, (registry) => registry.resolve(Dataset.kind, section.name, withoutName(section)))

export const architectureOf = (section: PluginSection, vocabularySize: number) =>
  Effect.gen(function* () {
    const registry = yield* Registry
    const model = yield* registry.resolve(Model.kind, section.name, withoutName(section))
    return yield* model.architecture({ vocabularySize })
  })

/** The tokenizer of a section whose files, if it was trained, lie in `directory`. */
export const tokenizerAt = (section: TokenizerSection, directory: string) =>
  Effect.flatMap(Registry, (registry) => {
    const { name, train, ...config } = section
    return registry.resolve(Tokenizer.kind, name, train === undefined ? config : { ...config, path: directory })
  })

/** Trains the tokenizer of a section on the training split, when the section says so and it is not there yet. */
export const tokenizerOf = (section: TokenizerSection, dataset: Dataset.Service, directory: string, onEvent: OnEvent) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const registry = yield* Registry
    if (section.train !== undefined) {
      const done = yield* fs
        .exists(paths.join(directory, "tokenizer.json"))
        .pipe(Effect.mapError((cause) => new TokenizerFilesError({ path: directory, cause })))
      if (!done) {
        const trainer = yield* registry.resolve(TokenizerTrainer.kind, section.name, section.train)
        let [documents, bytes] = [0, 0]
        const texts = dataset.documents("train").pipe(
          Stream.tap(({ text }) => {
            documents += 1
            bytes += new TextEncoder().encode(text).length
            return onEvent(new Preparing({ stage: "tokenizer", documents, bytes }))
          }),
          Stream.map(({ text }) => text)
        )
        const trained = yield* trainer.train(texts)
        yield* saveTokenizer(directory, trained.files)
      }
    }
    return yield* tokenizerAt(section, directory)
  })

/** The token files of both splits; validation is undefined when no text is held out. */
export const tokenFilesOf = (dataset: Dataset.Service, tokenizer: Tokenizer.Service, onEvent: OnEvent) =>
  Effect.gen(function* () {
    const cache = yield* TokenCache
    const open = (split: "train" | "validation") =>
      cache.open({
        dataset,
        tokenizer,
        split,
        onProgress: (done) => onEvent(new Preparing({ stage: "tokens", ...done }))
      })
    const train = yield* open("train")
    const validation = yield* open("validation")
    return { train, validation: validation.length > 1 ? validation : undefined }
  })

/** All parts of a run whose tokenizer lies (or will lie) in `directory`. */
export const partsOf = (config: RunConfig, directory: string, onEvent: OnEvent) =>
  Effect.gen(function* () {
    const dataset = yield* datasetOf(config.data)
    const tokenizer = yield* tokenizerOf(config.tokenizer, dataset, directory, onEvent)
    const architecture = yield* architectureOf(config.model, tokenizer.vocabularySize)
    const tokens = yield* tokenFilesOf(dataset, tokenizer, onEvent)
    return { dataset, tokenizer, architecture, tokens }
  })
