/**
 * Prints the token ids of a text: alone, or with what each stands for.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { Tokenizer } from "../../core/Tokenizer.ts"
import type { Encoding } from "../../core/tokenizer/Encoding.ts"
import * as Layers from "../../jobs/Environment.ts"
import { openTokenizer } from "../../jobs/tokenizers/openTokenizer.ts"
import * as Input from "../Input.ts"
import { table } from "../render/Table.ts"
import { visible } from "../render/Tokens.ts"
import { pluginConfig } from "../TokenizerOptions.ts"

export interface Options {
  readonly tokenizer: string
  readonly encoding: Option.Option<string>
  readonly text: Option.Option<string>
  readonly file: Option.Option<string>
  readonly format: "ids" | "json" | "tokens" | "table"
  readonly addSpecialTokens: boolean
  readonly parseSpecialTokens: boolean
}

export const run = (options: Options) =>
  Effect.gen(function* () {
    const { tokenizer } = yield* openTokenizer(options.tokenizer, pluginConfig(options))
    const text = yield* Input.read(options, "text")
    if (options.format === "ids") return yield* printIds(idsOf(tokenizer, text, options))
    const encoding = yield* tokenizer.encoding(text, {
      addSpecialTokens: options.addSpecialTokens,
      splitSpecialTokens: !options.parseSpecialTokens
    })
    yield* Console.log(rendered(tokenizer, encoding, text.toWellFormed(), options.format))
  }).pipe(Effect.scoped, Effect.provide([Layers.files(), Layers.registry()]))

/** Runs of ids, in order. Without places, which cost more than the ids do. */
const idsOf = (tokenizer: Tokenizer.Service, text: string, options: Options): ReadonlyArray<Int32Array> => {
  const ids = options.parseSpecialTokens ? tokenizer.encodeWithSpecialTokens(text) : tokenizer.encode(text)
  if (!options.addSpecialTokens) return [ids]
  return tokenizer.template.single.map((piece) => (piece._tag === "Sequence" ? ids : Int32Array.from(piece.ids)))
}

/** Ids that are written at once: those of a large text are longer than a string may be. */
const BLOCK = 1 << 16

/** One line, as fast as it is read. */
const printIds = (runs: ReadonlyArray<Int32Array>) =>
  Effect.gen(function* () {
    let separator = ""
    for (const ids of runs) {
      for (let at = 0; at < ids.length; at += BLOCK) {
        yield* write(separator + ids.subarray(at, at + BLOCK).join(" "))
        separator = " "
      }
    }
    yield* write("\n")
  })

const write = (text: string) =>
  Effect.async<void>((resume) => {
    process.stdout.write(text, () => resume(Effect.void))
  })

const rendered = (
  tokenizer: Tokenizer.Service,
  { ids, offsets, specialTokensMask }: Encoding,
  text: string,
  format: Exclude<Options["format"], "ids">
): string => {
  const tokens = Array.from(ids, (id, i) => ({
    id,
    token: tokenizer.token(id) ?? "",
    offsets:
      offsets === undefined || specialTokensMask[i] === 1 ? undefined : [offsets[2 * i] ?? 0, offsets[2 * i + 1] ?? 0]
  }))
  switch (format) {
    case "json":
      return JSON.stringify({
        ids: tokens.map(({ id }) => id),
        tokens: tokens.map(({ token }) => token),
        offsets: tokens.map(({ offsets }) => offsets ?? null)
      })
    case "tokens":
      return tokens.map(({ token }) => visible(token)).join("\n")
    case "table":
      return table(
        [
          { title: "id", align: "right" },
          { title: "token" },
          { title: "start", align: "right" },
          { title: "end", align: "right" },
          { title: "text" }
        ],
        tokens.map(({ id, offsets, token }) => [
          `${id}`,
          visible(token),
          offsets === undefined ? "–" : `${offsets[0]}`,
          offsets === undefined ? "–" : `${offsets[1]}`,
          offsets === undefined ? "" : visible(text.slice(offsets[0], offsets[1]))
        ])
      )
  }
}
