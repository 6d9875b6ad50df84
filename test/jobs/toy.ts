/**
 * A tokenizer trainer for tests of the jobs: the most frequent words between white space, by count and then by code unit.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Plugin from "../../src/core/plugin/Plugin.ts"
import { TokenizerTrainError, TokenizerTrainer } from "../../src/core/TokenizerTrainer.ts"
import * as Pipeline from "../../src/core/tokenizer/Pipeline.ts"
import { builtins } from "../../src/plugins/builtins.ts"

const Config = Schema.Struct({
  vocab_size: Schema.optionalWith(Schema.Int, { default: () => 10 }),
  min_frequency: Schema.optionalWith(Schema.Int, { default: () => 1 }),
  normalizer: Schema.optionalWith(Schema.Array(Schema.Literal("lowercase", "nfkc")), { default: () => [] }),
  special_tokens: Schema.optionalWith(Schema.Array(Schema.String), { default: () => ["</s>"] })
})

const types = { lowercase: "Lowercase", nfkc: "NFKC" } as const

export const Toy = Plugin.make(TokenizerTrainer.kind, "toy", {
  description: "the most frequent words",
  config: Config,
  make: (config) =>
    Effect.succeed(
      TokenizerTrainer.make({
        vocabularySize: config.vocab_size,
        trainSizes: (documents, sizes, options) =>
          Effect.gen(function* () {
            const counts = new Map<string, number>()
            let [read, bytes] = [0, 0]
            yield* Stream.runForEach(documents, (text) => {
              for (const word of text.split(/\s+/)) if (word !== "") counts.set(word, (counts.get(word) ?? 0) + 1)
              read += 1
              bytes += Buffer.byteLength(text)
              return options?.onProgress?.({ phase: "counting", documents: read, bytes }) ?? Effect.void
            })
            const words = [...counts]
              .filter(([, count]) => count >= config.min_frequency)
              .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
            const largest = words.length + 1 + config.special_tokens.length
            const train = (size: number) => {
              const vocabulary = ["<unk>", ...config.special_tokens, ...words.map(([word]) => word)].slice(0, size)
              return {
                vocabularySize: size,
                files: {
                  "tokenizer.json": Pipeline.render({
                    version: "1.0",
                    truncation: null,
                    padding: null,
                    added_tokens: ["<unk>", ...config.special_tokens].map((content, id) => ({
                      id,
                      content,
                      single_word: false,
                      lstrip: false,
                      rstrip: false,
                      normalized: false,
                      special: true
                    })),
                    normalizer: {
                      type: "Sequence",
                      normalizers: config.normalizer.map((name) => ({ type: types[name] }))
                    },
                    pre_tokenizer: { type: "WhitespaceSplit" },
                    post_processor: null,
                    decoder: null,
                    model: {
                      type: "WordLevel",
                      unk_token: "<unk>",
                      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id]))
                    }
                  })
                }
              }
            }
            const [first, ...others] = sizes
            for (const size of sizes) {
              if (size <= largest) continue
              const details = `A vocabulary of ${size} is larger than the text allows.`
              return yield* new TokenizerTrainError({ largest, details, remedy: `Set it to ${largest} or less.` })
            }
            return [train(first), ...others.map(train)] as const
          })
      })
    )
})

/** The built-in plugins and the toy, and Node's files. */
export const layer = builtins.add(Toy).layer.pipe(Layer.provideMerge(NodeContext.layer))
