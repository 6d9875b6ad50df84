/**
 * Reports about tokenizers: the components of one and how it tokenizes a text, two side by side, and the tokens of a text.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Tokenizer } from "../../core/Tokenizer.ts"
import type { Encoding } from "../../core/tokenizer/Encoding.ts"
import { encode, type Statistics } from "../../core/tokenizer/TokenizerStatistics.ts"
import type { Comparison } from "../../jobs/tokenizers/compareTokenizers.ts"
import type { Inspection } from "../../jobs/tokenizers/inspectTokenizer.ts"
import { bytes, number, plural } from "./Format.ts"
import { type Column, facts, table } from "./Table.ts"
import { split, visible } from "./Tokens.ts"

/** `3.42`, or a dash where there are no tokens. */
const perToken = ({ bytesPerToken }: Statistics) => (Number.isNaN(bytesPerToken) ? "–" : number(bytesPerToken, 3))

/** `12.3 %`, with enough digits that it differs from 0 % and 100 %. */
export const share = (value: number): string =>
  `${value === 0 || value === 1 ? value * 100 : (value * 100).toFixed(value < 0.001 || value > 0.999 ? 3 : 1)} %`

const rows = (statistics: Statistics): ReadonlyArray<readonly [label: string, value: string]> => [
  ["Documents", `${statistics.documents}`],
  ["Bytes", bytes(statistics.bytes)],
  ["Characters", `${statistics.characters}`],
  ["Tokens", `${statistics.tokens}`],
  ["Bytes per token", perToken(statistics)],
  ["Unknown", `${statistics.unknown} (${share(statistics.unknownRate)})`],
  ["Vocabulary used", `${statistics.used} (${share(statistics.coverage)})`],
  ["Not restored", ofDocuments(statistics)]
]

const ofDocuments = ({ documents, roundTripFaults }: Statistics) =>
  `${roundTripFaults} of ${plural(documents, "document")}`

const faultLines = ({ faults }: Statistics): ReadonlyArray<string> =>
  faults.map(
    ({ decoded, document, line, text }) => `  ${visible(document)}:${line}: "${visible(text)}" → "${visible(decoded)}"`
  )

/** Numbers, the longest tokens, and where decoding does not restore the text. */
export const statisticsText = (statistics: Statistics): string =>
  [
    facts(rows(statistics)),
    ...(statistics.longest.length === 0
      ? []
      : [
          "",
          table(
            [{ title: "longest tokens" }, { title: "bytes", align: "right" }, { title: "id", align: "right" }],
            statistics.longest.map(({ id, token, bytes: size }) => [visible(shortened(token)), `${size}`, `${id}`])
          )
        ]),
    ...(statistics.faults.length === 0
      ? []
      : ["", "First places where decoding does not restore the text", ...faultLines(statistics)])
  ].join("\n")

const shortened = (token: string, most = 40): string => {
  const letters = [...token]
  return letters.length <= most ? token : `${letters.slice(0, most - 1).join("")}…`
}

export const inspectionText = (inspection: Inspection, sample: string, options: { readonly colour: boolean }) => {
  const { spans, specialTokens, statistics, template } = inspection
  const parts =
    inspection.preTokenizer === undefined
      ? []
      : ([
          ["Normalizer", part(inspection.normalizer)],
          ["Pre-tokenizer", part(inspection.preTokenizer)],
          ["Decoder", part(inspection.decoder)]
        ] as const)
  return [
    facts([
      ["Tokenizer", `${inspection.tokenizer} (${inspection.plugin})`],
      ["Algorithm", inspection.algorithm],
      ["Vocabulary", `${inspection.vocabularySize}`],
      ...parts,
      ["Restores every text", inspection.byteLevel ? "yes" : "no"],
      ["Template", template.single],
      ["Template of a pair", template.pair]
    ]),
    "",
    specialTokens.length === 0
      ? "No special tokens"
      : table(
          [{ title: "special token" }, { title: "id", align: "right" }, { title: "roles" }],
          specialTokens.map(({ id, roles, token }) => [visible(token), `${id}`, roles.join(", ")])
        ),
    ...(statistics === undefined ? [] : ["", statisticsText(statistics)]),
    "",
    plural(spans.length, "token"),
    split(spans, sample, options)
  ].join("\n")
}

const Part = Schema.Struct({ type: Schema.String }, { key: Schema.String, value: Schema.Unknown })
const Pattern = Schema.Union(Schema.Struct({ Regex: Schema.String }), Schema.Struct({ String: Schema.String }))

/** The types of a component and its parts, with the patterns that they split at or replace. */
const part = (spec: unknown): string => {
  if (spec === null || spec === undefined) return "none"
  const decoded = Option.getOrUndefined(Schema.decodeUnknownOption(Part)(spec))
  if (decoded === undefined) return "unknown"
  const inner = decoded.normalizers ?? decoded.pretokenizers ?? decoded.decoders
  if (Array.isArray(inner)) return inner.map(part).join(", ") || "none"
  const pattern = Option.getOrUndefined(Schema.decodeUnknownOption(Pattern)(decoded.pattern))
  const written = pattern === undefined ? "" : ` "${visible("Regex" in pattern ? pattern.Regex : pattern.String)}"`
  return `${decoded.type}${shortened(written, 70)}`
}

export const comparisonText = ({ differences, tokenizers }: Comparison): string => {
  const [a, b] = tokenizers
  const columns: ReadonlyArray<Column> = [
    { title: "" },
    { title: visible(a.tokenizer), align: "right" },
    { title: visible(b.tokenizer), align: "right" }
  ]
  const [left, right] = [rows(a.statistics), rows(b.statistics)]
  return [
    table(columns, [
      ["Vocabulary", `${a.vocabularySize}`, `${b.vocabularySize}`],
      ...left.map(([label, value], i) => [label, value, right[i]?.[1] ?? ""])
    ]),
    ...tokenizers.flatMap(({ statistics, tokenizer }) =>
      statistics.faults.length === 0
        ? []
        : ["", `First places that ${visible(tokenizer)} does not restore`, ...faultLines(statistics)]
    ),
    "",
    differences.length === 0
      ? "They split these texts in the same way."
      : table(
          [{ title: "first differences" }, { title: visible(a.tokenizer) }, { title: visible(b.tokenizer) }],
          differences.map(({ document, line, tokens: [one, other] }) => [
            `${visible(document)}:${line}`,
            visible(one.join("|")),
            visible(other.join("|"))
          ])
        )
  ].join("\n")
}

/** An inspection as one JSON document. */
export const inspectionJson = (inspection: Inspection, sample: string) => ({
  tokenizer: inspection.tokenizer,
  plugin: inspection.plugin,
  algorithm: inspection.algorithm,
  vocabulary_size: inspection.vocabularySize,
  byte_level: inspection.byteLevel,
  normalizer: inspection.normalizer,
  pre_tokenizer: inspection.preTokenizer,
  decoder: inspection.decoder,
  special_tokens: inspection.specialTokens,
  template: inspection.template,
  text: sample,
  tokens: inspection.spans.map(({ id, offsets, token }) => ({ id, token, offsets })),
  statistics: inspection.statistics && encode(inspection.statistics)
})

/** A comparison as one JSON document. */
export const comparisonJson = ({ differences, tokenizers }: Comparison) => ({
  tokenizers: tokenizers.map(({ plugin, statistics, tokenizer, vocabularySize }) => ({
    tokenizer,
    plugin,
    vocabulary_size: vocabularySize,
    ...encode(statistics)
  })),
  differences
})

/** The tokens of a text: as JSON, one per line, or as a table with offsets. */
export const encodingText = (
  tokenizer: Tokenizer.Service,
  { ids, offsets, specialTokensMask }: Encoding,
  text: string,
  format: "json" | "tokens" | "table"
): string => {
  const tokens = Array.from(ids, (id, i) => ({
    id,
    token: tokenizer.token(id) ?? "",
    offsets:
      offsets === undefined || specialTokensMask[i] === 1
        ? undefined
        : ([offsets[2 * i]!, offsets[2 * i + 1]!] as const)
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
