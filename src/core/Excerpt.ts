/**
 * Text from a file or the command line as a part of a message: shortened, and without control characters, which a terminal would act on.
 */

/** Characters of a text that a message shows. */
const characters = 60

/** Names that a message lists: known keys, choices of a group, plugins. */
const names = 50

/** A text, of which at most `most` characters are shown. The end of a longer one is replaced by `...`. */
export const of = (text: string, most: number = characters): string =>
  printable(text.length > most ? `${text.slice(0, most - 3).replace(/[\ud800-\udbff]$/, "")}...` : text)

/** A list of names. Of many, the first ones and how many more there are. */
export const list = (all: ReadonlyArray<string>): string => {
  const more = all.length - names
  const shown = all.slice(0, more > 0 ? names : undefined).map((name) => of(name))
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join(", ")
}

/** A text whose control characters are written as `\u001b`. */
export const printable = (text: string): string =>
  text.replace(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)
