/**
 * GPT-2's and RoBERTa's files, `vocab.json` and `merges.txt`, as a tokenizer.json: byte-level BPE.
 *
 * The files say neither how words are split, which is GPT-2's way, nor which tokens are special. Those have known names, which
 * a tokenizer_config.json beside them may replace. Vocabularies of another kind (CLIP's, whose tokens end in `</w>`) are
 * refused.
 */
import * as Either from "effect/Either"
import * as ByteAlphabet from "../../../core/tokenizer/ByteAlphabet.ts"
import * as TokenizerJson from "../../../core/tokenizer/TokenizerJson.ts"
import type { FolderConfig } from "./FolderConfig.ts"

/** The names of the pair, as transformers and as OpenAI's first release write them. */
export const fileNames = [
  { vocabulary: "vocab.json", merges: "merges.txt" },
  { vocabulary: "encoder.json", merges: "vocab.bpe" }
] as const

/** Lines of two tokens; the first line may say a version. */
export const parseMerges = (
  text: string
): Either.Either<ReadonlyArray<readonly [string, string]>, TokenizerJson.InvalidComponent> => {
  const merges: Array<readonly [string, string]> = []
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line === "" || (i === 0 && line.startsWith("#version"))) continue
    const [left, right, ...more] = line.split(" ")
    if (!left || !right || more.length > 0) {
      return Either.left({ key: `line ${i + 1}`, details: `is ${JSON.stringify(line)}, not two tokens.` })
    }
    merges.push([left, right])
  }
  return Either.right(merges)
}

type Vocabulary = { readonly [token: string]: unknown }

export const toTokenizerJson = (
  vocabulary: Vocabulary,
  merges: ReadonlyArray<readonly [string, string]>,
  config: Pick<FolderConfig, "add_prefix_space" | "roles">
): Either.Either<TokenizerJson.TokenizerJson, TokenizerJson.InvalidComponent> => {
  const absent = ByteAlphabet.byteToCharacter.find((character) => !Object.hasOwn(vocabulary, character))
  if (absent !== undefined) {
    const details = `has no token ${JSON.stringify(absent)}, so it is not byte-level as GPT-2's is.`
    return Either.left({ key: "", details })
  }
  const roberta = ["<s>", "</s>", "<mask>"].every((token) => Object.hasOwn(vocabulary, token))
  const names = roberta ? ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] : ["<|endoftext|>"]
  const added_tokens = names.flatMap((content): ReadonlyArray<TokenizerJson.AddedToken> => {
    const id = Object.hasOwn(vocabulary, content) ? vocabulary[content] : undefined
    if (typeof id !== "number") return []
    // RoBERTa's mask takes the space before it.
    const lstrip = content === "<mask>"
    return [{ ...TokenizerJson.specialToken(id, content), lstrip }]
  })
  const idOf = (token: string) => added_tokens.find(({ content }) => content === token)?.id
  const prefix = config.add_prefix_space ?? false
  const cls = config.roles.cls_token ?? "<s>"
  const sep = config.roles.sep_token ?? "</s>"
  const [clsId, sepId] = [idOf(cls), idOf(sep)]
  const byteLevel = { type: "ByteLevel", add_prefix_space: prefix, trim_offsets: true, use_regex: true } as const
  const post_processor: TokenizerJson.PostProcessor =
    roberta && clsId !== undefined && sepId !== undefined
      ? {
          type: "RobertaProcessing",
          sep: [sep, sepId],
          cls: [cls, clsId],
          trim_offsets: true,
          add_prefix_space: prefix
        }
      : { ...byteLevel, trim_offsets: false }
  return Either.right(
    TokenizerJson.make({
      added_tokens: added_tokens.sort((a, b) => a.id - b.id),
      pre_tokenizer: byteLevel,
      post_processor,
      decoder: byteLevel,
      model: TokenizerJson.bpe({
        continuing_subword_prefix: "",
        end_of_word_suffix: "",
        vocab: vocabulary,
        merges
      })
    })
  )
}
