/**
 * Tokenizers as text: what one is made of, what it makes of texts, two side by side.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Statistics } from "../../core/tokenizer/TokenizerStatistics.ts"
import type { Comparison } from "../../jobs/tokenizers/compareTokenizers.ts"
import type { Inspection } from "../../jobs/tokenizers/inspectTokenizer.ts"
import { bytes, number } from "./Format.ts"
import { type Column, facts, table } from "./Table.ts"
import { split, visible } from "./Tokens.ts"

/** `3.42`, or a dash where there are no tokens. */
const perToken = ({ bytesPerToken }: Statistics) => (Number.isNaN(bytesPerToken) ? "–" : number(bytesPerToken, 3))

/** `12.3 %`, with as many digits as tell it from nothing and from everything. */
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
  ["Not given back", ofDocuments(statistics)]
]

const ofDocuments = ({ documents, roundTripFaults }: Statistics) =>
  `${roundTripFaults} of ${documents} document${documents === 1 ? "" : "s"}`

const faultLines = ({ faults }: Statistics): ReadonlyArray<string> =>
  faults.map(
    ({ decoded, document, line, text }) => `  ${visible(document)}:${line}: "${visible(text)}" → "${visible(decoded)}"`
  )

/** Numbers, the longest tokens, and what is not given back. */
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
    ...(statistics.faults.length === 0 ? [] : ["", "First places that are not given back", ...faultLines(statistics)])
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
      ["Gives every text back", inspection.byteLevel ? "yes" : "no"],
      ["Around a text", template.single],
      ["Around two", template.pair]
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
    `${spans.length} tokens`,
    split(spans, sample, options)
  ].join("\n")
}

const Part = Schema.Struct({ type: Schema.String }, { key: Schema.String, value: Schema.Unknown })
const Pattern = Schema.Union(Schema.Struct({ Regex: Schema.String }), Schema.Struct({ String: Schema.String }))

/** Types of a part in their order, with the patterns that they split or replace at. */
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
        : ["", `First places that ${visible(tokenizer)} does not give back`, ...faultLines(statistics)]
    ),
    "",
    differences.length === 0
      ? "They split these texts alike."
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
