/**
 * The console that @effect/cli prints to: help goes to stdout as this program wants it, faults go nowhere.
 *
 * The parser prints a fault and also fails with it; ErrorText prints failures, so one of the two must be silent. Help gets
 * the command's full path in its usage line (the parser knows the last name only), loses the sentence that stands where an
 * option has no description, and its colours where stdout is no terminal. A list of commands tells what each does on a line
 * of its own: beside the longest usage it would begin far off the screen.
 */
import { stripVTControlCharacters } from "node:util"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

export interface ParserConsole extends Console.Console {
  /** The console for everybody but the parser. */
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

/** Runs what the parser has led to, with the console that the parser's stands before. */
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

/** A usage as long as a line of the terminal; of a longer one, the command. */
const brief = (usage: string): string => (usage.length <= 72 ? usage : `${usage.replace(/ [^\w].*$/, "")} [options]`)
