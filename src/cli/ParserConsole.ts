/**
 * The console that @effect/cli prints to: help goes to stdout in the form that this program wants, faults are not printed.
 *
 * The parser prints a fault and also fails with it; Stderr.ts prints failures, so the parser must be silent. Help gets the
 * command's full path in its usage line (the parser knows the last name only). It loses the sentence that the parser prints
 * where an option has no description, and its colours where stdout is not a terminal. In a list of commands, each description
 * is on a line of its own: next to the longest usage it would start far to the right of the screen.
 */
import { stripVTControlCharacters } from "node:util"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

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
  const whole = text
    .replace(/^\$ \S+/gm, `$ ${path.join(" ")}`)
    .replace(/^( {2}- )(\S.*?) {2,}(\S.*)$/gm, (_, dash, usage, text) => `${dash}${brief(usage)}\n      ${text}`)
    .replace(/^ +(A user-defined piece of text|A true or false value|An integer|A floating point number)\.\n\n/gm, "")
    .trim()
  return colour ? whole : stripVTControlCharacters(whole)
}

/** A usage that fits on a line of the terminal; a longer one is shortened to the command. */
const brief = (usage: string): string => (usage.length <= 72 ? usage : `${usage.replace(/ [^\w].*$/, "")} [options]`)
