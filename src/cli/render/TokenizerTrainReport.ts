/**
 * Reports of tokenizer training: the plan of a dry run, progress, and the result.
 */
import {
  idsChange,
  type Target,
  type TokenizerPlan,
  type TrainedTokenizer,
  type TrainTokenizerProgress
} from "../../jobs/tokenizers/trainTokenizer.ts"
import { bytes, plural } from "./Format.ts"
import { facts, nextCommands, shellWord, table } from "./Table.ts"
import { share, statisticsText } from "./TokenizerReport.ts"

/** One line about a running training. */
export const progressText = (progress: TrainTokenizerProgress): string => {
  switch (progress.phase) {
    case "learning":
      return `learning: ${progress.done}/${progress.wanted} ${progress.of}`
    case "counting":
      return `reading: ${plural(progress.documents, "document")}, ${bytes(progress.bytes)}`
    case "measuring":
      return `measuring: ${plural(progress.documents, "document")}, ${bytes(progress.bytes)}`
  }
}

/** What a training would read and write. */
export const planText = ({ data, settings, targets }: TokenizerPlan): string => {
  const total = data.files.reduce((sum, file) => sum + file.bytes, 0)
  const shown = data.files.slice(0, 20)
  return [
    ...(data.files.length === 0
      ? []
      : [
          table(
            [{ title: "file" }, { title: "bytes", align: "right" }, { title: "SHA-256" }],
            shown.map((file) => [file.path, `${file.bytes}`, file.sha256.slice(0, 16)])
          ),
          ...(shown.length < data.files.length ? [`… and ${data.files.length - shown.length} more`] : []),
          ""
        ]),
    facts([
      ["Data", `${plural(data.files.length, "file")}, ${bytes(total)}`],
      ...(data.field === undefined ? [] : [["Field", data.field] as const]),
      ...(data.dataset === undefined ? [] : [["Dataset", JSON.stringify(data.dataset)] as const]),
      ["Algorithm", targets[0].purpose.algorithm],
      ...Object.entries(settings).flatMap(([key, value]) =>
        key === "vocab_size" || value === undefined ? [] : [[key, JSON.stringify(value)] as const]
      )
    ]),
    "",
    table(
      [{ title: "vocab_size", align: "right" }, { title: "directory" }, { title: "now there" }],
      targets.map((target) => [`${target.size}`, target.directory, presentText(target)])
    ),
    "",
    "Nothing was written. Remove --dry-run to train."
  ].join("\n")
}

const presentText = (target: Target): string => {
  if (target.present.length === 0) return "nothing"
  if (target.unreadable !== undefined) {
    return `${target.present.join(", ")}; ${target.unreadable.path} cannot be read (${target.unreadable.details}) and will be set aside`
  }
  if (target.same) return "the same tokenizer, which will be rewritten"
  return `another tokenizer, which --force replaces${target.changes === undefined ? "" : `: ${idsChange(target.changes)}`}`
}

/** The tokenizers that were replaced, each with what that means. */
export const replacedTexts = ({ targets }: TokenizerPlan): ReadonlyArray<string> =>
  targets.flatMap(({ changes, directory }) =>
    changes === undefined ? [] : [`${directory}: another tokenizer was replaced. ${idsChange(changes)}`]
  )

/** What was trained, and which commands to run next. `data` are the paths that were given. */
export const trainedText = (trained: ReadonlyArray<TrainedTokenizer>, data: ReadonlyArray<string>): string => {
  const [first, ...others] = trained
  if (first === undefined) return ""
  const { statistics } = first
  const summary =
    others.length > 0
      ? [
          table(
            [
              { title: "tokens", align: "right" },
              { title: "bytes per token", align: "right" },
              { title: "vocabulary used", align: "right" },
              { title: "directory" }
            ],
            trained.map((one) => [
              `${one.vocabularySize}`,
              one.statistics === undefined ? "–" : one.statistics.bytesPerToken.toPrecision(3),
              one.statistics === undefined ? "–" : share(one.statistics.coverage),
              one.target.directory
            ])
          )
        ]
      : [
          `${plural(first.vocabularySize, "token")} from ${sourceText(first)}.` +
            (statistics === undefined
              ? ""
              : ` One token represents ${statistics.bytesPerToken.toPrecision(3)} bytes of that text on average.`),
          ...(statistics === undefined ? [] : ["", statisticsText(statistics)]),
          "",
          facts(first.files.map((file, i) => [i === 0 ? "Written" : "", `${first.target.directory}/${file}`]))
        ]
  const place = shellWord(first.target.directory)
  const dataPaths = shellWord(JSON.stringify(data))
  return [
    ...summary,
    "",
    nextCommands([
      `codex tokenizer inspect --tokenizer ${place}`,
      ...(data.length === 0
        ? []
        : [
            `codex train data.paths=${dataPaths} tokenizer.name=${first.plugin} tokenizer.path=${place} '~tokenizer.train'`
          ])
    ])
  ].join("\n")
}

const sourceText = ({ statistics, target }: TrainedTokenizer): string => {
  const { files } = target.purpose.data
  const total = files.reduce((sum, file) => sum + file.bytes, 0)
  return files.length === 0
    ? plural(statistics?.documents ?? 0, "document")
    : `${plural(files.length, "file")}, ${bytes(total)}`
}
