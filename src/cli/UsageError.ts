/**
 * A command line that @effect/cli refused, with a message for people: what is wrong, the nearest correct word, the usage.
 *
 * The parser's own faults suggest no alternative below the first level and quote the list of the wrong command, so the words
 * are looked up again in the tree of command descriptors. No command is known here by name.
 */
import { stripVTControlCharacters } from "node:util"
import * as Descriptor from "@effect/cli/CommandDescriptor"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Usage from "@effect/cli/Usage"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { nearest } from "../core/config/Suggestion.ts"
import * as ExitCode from "../core/ExitCode.ts"
import { wrapped } from "./render/Table.ts"

export class UsageError extends Schema.TaggedError<UsageError>()("UsageError", {
  problem: Schema.String,
  /** The command with its options on one line, starting with the program's name. */
  usage: Schema.String,
  /** The command whose `--help` says more. */
  command: Schema.String
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    return `${this.problem}\n\n${wrappedUsage(`Usage: ${this.usage}`)}\nMore: ${this.command} --help`
  }
}

/** A fault of the command line that only the handler can detect; it is printed with the command's usage. */
export const usageError = (problem: string): Effect.Effect<never, ValidationError.ValidationError> =>
  Effect.fail(ValidationError.invalidValue(HelpDoc.p(problem)))

/** The root and its commands. The root's descriptor does not have the groups below its children, so these are given too. */
export interface Tree {
  readonly root: Descriptor.Command<unknown>
  readonly commands: ReadonlyArray<Descriptor.Command<unknown>>
}

const childrenOf = ({ root, commands }: Tree, command: Descriptor.Command<unknown>) =>
  command === root
    ? HashMap.fromIterable(commands.flatMap((child) => [...Descriptor.getNames(child)].map((name) => [name, child])))
    : HashMap.filter(Descriptor.getSubcommands(command), (_, name) => !HashSet.has(Descriptor.getNames(command), name))

/** The path of command names that the words start with, the descriptor of the last one, and the names of its subcommands. */
export const locate = (tree: Tree, words: ReadonlyArray<string>) => {
  const path = [...Descriptor.getNames(tree.root)]
  let command = tree.root
  for (const word of words) {
    const next = HashMap.get(childrenOf(tree, command), word)
    if (Option.isNone(next)) break
    command = next.value
    path.push(word)
  }
  return { path, command, children: [...HashMap.keys(childrenOf(tree, command))].sort() }
}

/** Explains a fault of the parser on `words`, the arguments after the program's name. */
export const fromValidationError = (
  tree: Tree,
  words: ReadonlyArray<string>,
  error: ValidationError.ValidationError
): UsageError => {
  const { path, command, children } = locate(tree, words)
  const usage = usageText(plain(Usage.getHelp(Descriptor.getUsage(command))))
  const name = path.join(" ")
  return new UsageError({
    problem: explain(error, words.slice(path.length - 1), children, usage),
    usage: children.length > 0 ? `${name} <${children.join(" | ")}>` : `${name}${usage.replace(/^\S+/, "")}`,
    command: name
  })
}

/** The parser's usage with brackets around options that may be repeated, which all are optional: `[--data path]...`. */
export const usageText = (usage: string): string => usage.replace(/ (--[\w-]+ [^\s[\]]+)\.\.\./g, " [$1]...")

/** A usage in lines of a terminal, broken between options and between commands only. */
export const wrappedUsage = (usage: string): string =>
  wrapped(usage, { indent: 4, spaces: / (?=\[|<|--)|(?<=<[^>]*) (?=\|)/ })

const missingOption = /^Expected to find option: '(.*)'$/s
const missingValue = /^Expected a value following option: '(.*)'$/s
const wrongChoice = /Expected one of the following cases: (.*)$/s
const unknownArgument = /^Received unknown argument: '(.*)'$/s

const explain = (
  error: ValidationError.ValidationError,
  words: ReadonlyArray<string>,
  children: ReadonlyArray<string>,
  usage: string
): string => {
  const [word] = words
  if (children.length > 0 && word !== undefined)
    return word.startsWith("-")
      ? `Unknown option "${word}".`
      : `Unknown command "${word}".${suggestion(word, children)} Commands: ${children.join(", ")}.`
  const problem = plain(error.error)
  const [, cases] = wrongChoice.exec(problem) ?? []
  if (cases !== undefined) return explainChoice(cases.split(", "), words, usage) ?? problem
  const [, missing] = missingOption.exec(problem) ?? []
  if (missing !== undefined) return `Option "${missing}" is missing.`
  const [, empty] = missingValue.exec(problem) ?? []
  if (empty !== undefined) return `Option "${empty}" has no value.`
  const [, argument] = unknownArgument.exec(problem) ?? []
  if (argument === undefined) return problem
  if (!argument.startsWith("-")) return `Unexpected argument "${argument}".`
  const [option = argument] = argument.split("=")
  const known: ReadonlyArray<string> = usage.match(/--?[a-z][\w-]*/g) ?? []
  return known.includes(option)
    ? `Option "${option}" has no value, or is given twice.`
    : `Unknown option "${option}".${suggestion(option, known)}`
}

/** A value that is not one of an option's. The usage says which option has these values; the parser does not. */
const explainChoice = (
  cases: ReadonlyArray<string>,
  words: ReadonlyArray<string>,
  usage: string
): string | undefined => {
  const values = cases.join(" | ")
  for (const [i, word] of words.entries()) {
    const [option = "", ...rest] = word.split("=")
    const value = rest.length > 0 ? rest.join("=") : words[i + 1]
    if (!usage.includes(`${option} ${values}`) || !option.startsWith("--") || value === undefined) continue
    if (!cases.includes(value)) {
      return `Option "${option}" cannot be "${value}".${suggestion(value, cases)} Its values: ${cases.join(", ")}.`
    }
  }
  return undefined
}

const suggestion = (word: string | undefined, known: ReadonlyArray<string>): string => {
  const near = word === undefined ? undefined : nearest(word, known)
  return near === undefined ? "" : ` Did you mean ${near}?`
}

const plain = (doc: HelpDoc.HelpDoc): string => stripVTControlCharacters(HelpDoc.toAnsiText(doc)).trim()
