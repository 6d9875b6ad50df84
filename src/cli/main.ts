/**
 * The command `codex` as an Effect of its arguments: the tree of commands, and what surrounds whichever of them runs.
 *
 * A command is one file: its options, help, example and handler (plugins/list.ts is a short one). A group `codex plugins …` is
 * plugins.ts, with its commands in the folder plugins/. A new command is such a file and an entry in its group, or in the two
 * lists below.
 *
 *     export const list = Command.make(
 *       "list",
 *       { kind, json },                                  // options; the handler's types are inferred from them
 *       inSession(({ json, kind }) =>                    // or inPreparedSession, outsideSession: Handler.ts
 *         Effect.gen(function* () {
 *           const { listAll } = yield* load(() => import("../../jobs/…"))
 *           yield* Console.log(render(yield* listAll(kind)))
 *         })
 *       )
 *     ).pipe(Command.withDescription("… Example: codex plugins list --kind tokenizer"))
 *
 * Every start of the command loads the files of all commands with their static imports. So a handler imports what it computes
 * with by `load`; static are @effect/cli, small modules of effect and core, types, and render/.
 */
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { version } from "../core/Version.ts"
import { doctor } from "./doctor.ts"
import { evaluate } from "./evaluate.ts"
import { exportCommand } from "./export.ts"
import { generate } from "./generate.ts"
import { Invocation } from "./Handler.ts"
import { logs } from "./logs.ts"
import * as ParserConsole from "./ParserConsole.ts"
import { plugins } from "./plugins.ts"
import { quickstart } from "./quickstart.ts"
import { tokenizer } from "./tokenizer.ts"
import { train } from "./train.ts"
import { fromValidationError, locate, type Tree } from "./UsageError.ts"

const commands = [quickstart, tokenizer, train, evaluate, generate, exportCommand, logs, plugins, doctor] as const

const codex = Command.make("codex").pipe(
  Command.withDescription("Train, evaluate and run small language models, on this machine."),
  Command.withSubcommands(commands)
)

const tree: Tree = { root: codex.descriptor, commands: commands.map(({ descriptor }) => descriptor) }

const run = Command.run(codex, {
  name: "codex",
  version,
  footer: HelpDoc.p(
    "Everywhere: --help, --version, --debug (traces of errors), --log-level <level>, --completions <shell>, --wizard."
  )
})

/** Runs the command that `words`, the arguments after the program's name, ask for. Fails with UsageError for a wrong line. */
export const main = (words: ReadonlyArray<string>, options: { readonly colour: boolean }) =>
  Console.consoleWith((console) => {
    const { path } = locate(tree, words)
    const explain = (error: ValidationError.ValidationError) => fromValidationError(tree, words, error)
    return run(["node", "codex", ...words.flatMap(separated)]).pipe(
      Effect.catchIf(ValidationError.isValidationError, explain),
      Effect.withConsole(ParserConsole.make(console, { path, colour: options.colour })),
      Effect.provideService(Invocation, { command: path.join(" "), arguments: words.slice(path.length - 1), explain }),
      Effect.provide(CliConfig.layer({ showBuiltIns: false }))
    )
  })

/** `--data=x` as two words: the parser separates the value of an option itself, but not of one that may be repeated. */
const separated = (word: string): ReadonlyArray<string> => {
  const [, name, value] = /^(--[a-z][\w-]*)=([\s\S]*)$/.exec(word) ?? []
  return name === undefined || value === undefined ? [word] : [name, value]
}
