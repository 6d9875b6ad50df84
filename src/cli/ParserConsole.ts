/**
 * The console that @effect/cli prints to: help goes to stdout in the form that this program wants, faults are not printed.
 *
 * The parser prints a fault and also fails with it; Stderr.ts prints failures, so the parser must be silent. Help is printed
 * with at most 80 characters a line, except for examples, which are to be copied. The usage line gets the command's full path
 * (the parser knows the last name only). Sentences that the parser adds to every option are left out: brackets in the usage
 * and the option's description say the same. There are no colours where stdout is not a terminal.
 */
import { stripVTControlCharacters } from "node:util"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { wrapped } from "./render/Table.ts"
import { usageText, wrappedUsage } from "./UsageError.ts"

export interface ParserConsole extends Console.Console {
  /** The console that this one replaces; for all but the parser. */
  readonly original: Console.Console
}

export const make = (
  original: Console.Console,
  options: {
    /** The command's names from the root: `["codex", "plugins", "list"]`. */
    readonly path: ReadonlyArray<string>
    readonly colour: boolean
  }
): ParserConsole => ({
  ...original,
  original,
  log: (...args) => original.log(...args.map((arg) => (typeof arg === "string" ? help(arg, options) : arg))),
  error: () => Effect.void
})

/** Runs a handler with the original console. */
export const without = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Console.consoleWith((console) => Effect.withConsole(effect, isParserConsole(console) ? console.original : console))

const isParserConsole = (console: Console.Console): console is ParserConsole => "original" in console

const help = (text: string, { path, colour }: { readonly path: ReadonlyArray<string>; readonly colour: boolean }) => {
  const whole = (colour ? text : stripVTControlCharacters(text)).trim()
  return whole.includes("USAGE") ? layout(whole.split("\n\n").slice(1), path) : whole
}

/** Sentences that the parser adds to every option of a type. */
const noise =
  /^ +(A user-defined piece of text|A true or false value|An integer|A floating point number|This (setting|option|argument) (is optional|may be repeated).*|One of the following: .*)\.?$/

const layout = (paragraphs: ReadonlyArray<string>, path: ReadonlyArray<string>): string => {
  const commands = paragraphs.some((paragraph) => /^\S*COMMANDS\S*$/.test(paragraph)) ? " <command>" : ""
  let whole = ""
  let isHeading = false
  for (const paragraph of paragraphs) {
    if (noise.test(paragraph)) continue
    for (const text of formatted(paragraph, `${path.join(" ")}${commands}`)) {
      // Indented text belongs to the line above it, unless that is a heading.
      whole += `${whole === "" ? "" : text.startsWith(" ") && !isHeading ? "\n" : "\n\n"}${text}`
      isHeading = headings.test(text)
    }
  }
  return whole
}

const headings = /^\S*(USAGE|DESCRIPTION|COMMANDS|ARGUMENTS|OPTIONS)\S*$/

const formatted = (paragraph: string, name: string): ReadonlyArray<string> => {
  const [, usage] = /^\$ \S+(.*)$/s.exec(paragraph) ?? []
  if (usage !== undefined) return [wrappedUsage(`$ ${name}${usageText(usage)}`)]
  const [, command, description] = /^ {2}- (\S.*?) {2,}(\S.*)$/s.exec(paragraph) ?? []
  if (command !== undefined && description !== undefined) {
    const [sentences = ""] = examples(description)
    return [`  ${brief(usageText(command))}\n${wrapped(`      ${sentences}`, { indent: 6 })}`]
  }
  const [sentences = "", ...rest] = examples(paragraph)
  return [wrapped(sentences, { indent: sentences.length - sentences.trimStart().length }), ...rest]
}

/** A description, and its examples as separate paragraphs. */
const examples = (text: string): ReadonlyArray<string> => text.split(/ (?=Example: )/)

/** A usage that fits on a line of the list of commands; a longer one is shortened to the command. */
const brief = (usage: string): string => (usage.length <= 76 ? usage : `${usage.replace(/ [^\w].*$/, "")} [options]`)
