/**
 * codex tokenizer encode --tokenizer artifacts/tokenizers/notes "Call me Ishmael."
 *
 *     $ codex tokenizer encode --tokenizer byte hi
 *     104 105
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type { Tokenizer } from "../../core/Tokenizer.ts"
import { load } from "../Handler.ts"
import { encoding, pluginConfig, tokenizer, withRegistry } from "../TokenizerOptions.ts"

const text = Args.text({ name: "text" }).pipe(
  Args.withDescription("The text. Without it and without --file, it is read from stdin."),
  Args.optional
)
const file = Options.text("file").pipe(Options.withDescription("A UTF-8 file to read the text from."), Options.optional)
const format = Options.choice("format", ["ids", "json", "tokens", "table"]).pipe(
  Options.withDescription(
    "ids: on one line. json: ids, tokens and offsets. tokens: in their written form, one per line. table: id, token and offsets. Default: ids"
  ),
  Options.withDefault("ids" as const)
)
const addSpecialTokens = Options.boolean("add-special-tokens").pipe(
  Options.withDescription("Add the special tokens of the tokenizer's template around the text.")
)
const parseSpecialTokens = Options.boolean("parse-special-tokens").pipe(
  Options.withDescription("Encode special tokens in the text to their ids. Otherwise they are ordinary text.")
)

export const encode = Command.make(
  "encode",
  { tokenizer, encoding, file, format, addSpecialTokens, parseSpecialTokens, text },
  withRegistry(({ addSpecialTokens, encoding, file, format, parseSpecialTokens, text: given, tokenizer: name }) =>
    Effect.gen(function* () {
      const [{ openTokenizer }, Input, { encodingText }] = yield* load(() =>
        Promise.all([
          import("../../jobs/tokenizers/openTokenizer.ts"),
          import("../Input.ts"),
          import("../render/TokenizerReport.ts")
        ])
      )
      const { tokenizer } = yield* openTokenizer(name, pluginConfig(encoding))
      const text = yield* Input.read({ text: given, file }, "text")
      if (format === "ids") {
        const ids = parseSpecialTokens ? tokenizer.encodeWithSpecialTokens(text) : tokenizer.encode(text)
        return yield* printIds(addSpecialTokens ? withTemplate(tokenizer, ids) : [ids])
      }
      const encoded = yield* tokenizer.encoding(text, { addSpecialTokens, splitSpecialTokens: !parseSpecialTokens })
      yield* Console.log(encodingText(tokenizer, encoded, text.toWellFormed(), format))
    })
  )
).pipe(
  Command.withDescription(
    "Print the token ids of a text. " +
      'Example: codex tokenizer encode --tokenizer artifacts/tokenizers/notes "Call me Ishmael."'
  )
)

/** Ids with those of the template around them. `encoding` would compute offsets too, which takes longer than the ids. */
const withTemplate = ({ template }: Tokenizer.Service, ids: Int32Array): ReadonlyArray<Int32Array> =>
  template.single.map((piece) => (piece._tag === "Sequence" ? ids : Int32Array.from(piece.ids)))

/** Ids that are written at once: the line of a large text is longer than a string can be. */
const BLOCK = 1 << 16

/** Prints one line, as fast as the reader takes it. */
const printIds = (arrays: ReadonlyArray<Int32Array>) =>
  Effect.gen(function* () {
    let separator = ""
    for (const ids of arrays) {
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
