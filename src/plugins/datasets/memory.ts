/**
 * Dataset plugin `memory`: documents that are given in the config itself.
 *
 *     data: { name: memory, documents: ["To be, or not to be", "that is the question"] }
 *
 * The rule for what is held out is that of files: if there are several documents, whole ones, by default a tenth of them and at
 * least one; of a single document the end, from a line break or, if there is none near, from a character.
 */
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Dataset, DatasetError, type Document } from "../../core/Dataset.ts"
import * as Plugin from "../../core/plugin/Plugin.ts"
import * as ValidationSplit from "./ValidationSplit.ts"

/** The config of `memory`. */
export const Config = Schema.Struct({
  documents: Schema.NonEmptyArray(Schema.String).annotations({
    description: "The texts, one a document. Empty ones are skipped.",
    examples: [["To be, or not to be", "that is the question"]]
  }),
  ...ValidationSplit.fields
})

/** The plugin. */
export const MemoryDataset = Plugin.make(Dataset.kind, "memory", {
  description: "documents given in the config, split into training and validation",
  config: Config,
  make: (config) => {
    const documents = config.documents.flatMap((text, i) => (text === "" ? [] : [{ id: `documents[${i}]`, text }]))
    if (documents.length === 0) return empty
    const assignment = ValidationSplit.assign(documents, ValidationSplit.ruleOf(config), ({ text }) => text.length)
    const splits = "cut" in assignment ? cut(assignment.cut, assignment.near) : assignment
    return Dataset.make({ documents: (split) => Stream.fromIterable(splits[split]) })
  }
})

const empty = new DatasetError({
  reason: "Empty",
  path: "documents",
  details: "all documents are empty.",
  remedy: "Give at least one text."
})

/** Both sides of a document that is cut after the last line break before `near`, or before the character there. */
const cut = (
  { id, text }: Document,
  near: number
): { readonly [split in "train" | "validation"]: ReadonlyArray<Document> } => {
  const line = text.lastIndexOf("\n", near - 1) + 1
  const inPair = /^[\uDC00-\uDFFF]/.test(text.slice(near)) && /[\uD800-\uDBFF]$/.test(text.slice(0, near))
  const at = line > near / 2 ? line : inPair ? near - 1 : near
  const part = (start: number, end: number) =>
    start === end ? [] : [{ id: `${id}#${start}`, text: text.slice(start, end) }]
  return { train: part(0, at), validation: part(at, text.length) }
}
