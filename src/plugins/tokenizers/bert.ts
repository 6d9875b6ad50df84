/**
 * BERT's tokenizer from its `vocab.txt`: text is split at spaces and punctuation, and words into the longest tokens.
 *
 * Options come from the config, otherwise from a `tokenizer_config.json` next to the vocabulary, otherwise from the original
 * English model: lower case without accents, each Chinese character a word. Multilingual cased models set `do_lower_case: false`.
 * Source: Devlin et al. 2018; google-research/bert, tokenization.py.
 */
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Plugin from "../../core/plugin/Plugin.ts"
import { Tokenizer, TokenizerFileError } from "../../core/Tokenizer.ts"
import * as Pipeline from "../../core/tokenizer/Pipeline.ts"
import * as TokenizerJson from "../../core/tokenizer/TokenizerJson.ts"
import * as HuggingFaceFolder from "./HuggingFaceFolder.ts"
import { locate, readText } from "./TokenizerFolder.ts"

const switchOf = (description: string) => Schema.optional(Schema.Boolean).annotations({ description })
const tokenOf = (token: string, use: string) =>
  Schema.optionalWith(Schema.NonEmptyString, { default: () => token }).annotations({ description: use })

const Config = Schema.Struct({
  path: Schema.NonEmptyString.annotations({
    description: "A vocab.txt with one token per line, or its directory.",
    examples: ["bert-base-uncased/vocab.txt"]
  }),
  do_lower_case: switchOf("Convert text to lower case. Default true."),
  strip_accents: switchOf("Remove accents. Default: the value of do_lower_case."),
  tokenize_chinese_chars: switchOf("Make every Chinese character a word. Default true."),
  unk_token: tokenOf("[UNK]", "Replaces words that the vocabulary cannot represent."),
  sep_token: tokenOf("[SEP]", "Ends a text."),
  pad_token: tokenOf("[PAD]", "Fills rows of a batch."),
  cls_token: tokenOf("[CLS]", "Begins an input."),
  mask_token: tokenOf("[MASK]", "Replaces a word that the model predicts.")
})

const remedy = "Give a vocab.txt, in which line n is the token of id n − 1, or its directory."

/** The plugin `bert`: WordPiece from BERT's vocab.txt. */
export const BertTokenizer = Plugin.make(Tokenizer.kind, "bert", {
  description: "BERT's WordPiece from a vocab.txt",
  config: Config,
  reads: ["vocab.txt"],
  make: ({ path, ...given }) =>
    Effect.gen(function* () {
      const file = yield* locate(path, ["vocab.txt"], remedy)
      const folder = yield* HuggingFaceFolder.read((yield* Path.Path).dirname(file))
      const vocabulary = readVocabulary(yield* readText(file, remedy))
      for (const role of ["unk_token", "sep_token", "cls_token"] as const) {
        if (Object.hasOwn(vocabulary, given[role])) continue
        const details = `has no line ${given[role]}, which is the ${role}.`
        return yield* new TokenizerFileError({
          path: file,
          key: "",
          details,
          remedy: `Set ${role} to a token of the file.`
        })
      }
      const definition = toTokenizerJson(vocabulary, {
        ...given,
        do_lower_case: given.do_lower_case ?? folder.do_lower_case ?? true,
        strip_accents: given.strip_accents ?? folder.strip_accents ?? null,
        tokenize_chinese_chars: given.tokenize_chinese_chars ?? folder.tokenize_chinese_chars ?? true
      })
      const { cls_token, mask_token, pad_token, sep_token, unk_token } = given
      return yield* Pipeline.make(definition, {
        path: file,
        endOfText: sep_token,
        roles: { unk_token, sep_token, pad_token, cls_token, mask_token }
      })
    })
})

type Vocabulary = { readonly [token: string]: number }

/** The last of equal lines counts. An empty line is an id without a token. */
const readVocabulary = (text: string): Vocabulary => {
  const vocabulary: Record<string, number> = Object.create(null)
  for (const [id, line] of text.split(/\r\n|\n/).entries()) if (line !== "") vocabulary[line] = id
  return vocabulary
}

type Switch = "do_lower_case" | "strip_accents" | "tokenize_chinese_chars"

interface Settings extends Omit<typeof Config.Type, "path" | Switch> {
  readonly do_lower_case: boolean
  readonly strip_accents: boolean | null
  readonly tokenize_chinese_chars: boolean
}

const toTokenizerJson = (vocabulary: Vocabulary, settings: Settings): TokenizerJson.TokenizerJson => {
  const { cls_token, mask_token, pad_token, sep_token, unk_token } = settings
  const special = [...new Set([pad_token, unk_token, cls_token, sep_token, mask_token])]
  return TokenizerJson.make({
    added_tokens: special
      .flatMap((content): ReadonlyArray<TokenizerJson.AddedToken> => {
        const id = vocabulary[content]
        return id === undefined ? [] : [TokenizerJson.specialToken(id, content)]
      })
      .sort((a, b) => a.id - b.id),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: settings.tokenize_chinese_chars,
      strip_accents: settings.strip_accents,
      lowercase: settings.do_lower_case
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: TokenizerJson.clsAndSep([cls_token, vocabulary[cls_token]!], [sep_token, vocabulary[sep_token]!]),
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token,
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: vocabulary
    }
  })
}
