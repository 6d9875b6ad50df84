/**
 * The name that was probably meant: for keys at any depth of a config, for plugins, commands, options and values.
 *
 *     max_step         max_steps            one letter
 *     maxSteps         max_steps            the same words
 *     num_layers       num_hidden_layers    most of the words
 *     learning_rate    lr                   initials
 *     training.top_k   generation.top_k     the same key elsewhere
 */
import { distance } from "fastest-levenshtein"
import { item, type KeyPath } from "./ConfigKeys.ts"

/** The known name closest to a mistyped one. Undefined if none is close. */
export const nearest = (name: string, known: ReadonlyArray<string>): string | undefined =>
  best(
    known,
    (candidate) => strangeness(name, candidate),
    ({ length }) => length
  )

/**
 * The known key closest to a mistyped one: beside it, in a section of a similar name, or of the same name elsewhere. Keys that come
 * first are preferred. Undefined if none is close.
 */
export const nearestKey = (path: KeyPath, known: ReadonlyArray<KeyPath>): KeyPath | undefined => {
  const wanted = path.map((part) => (isIndex(part) ? item : part))
  const found = best(
    known.filter((candidate) => candidate.join("\n") !== wanted.join("\n")),
    (candidate) => keyStrangeness(wanted, candidate),
    (candidate) => candidate.at(-1)!.length
  )
  // An index means the same item only below the same parents.
  return found?.map((part, i) => (part === item ? path[i]! : part))
}

/** The candidate with the lowest value of `measure`, among equals the lowest of `size`, among equals the first. */
const best = <A>(
  candidates: ReadonlyArray<A>,
  measure: (candidate: A) => number,
  size: (candidate: A) => number
): A | undefined => {
  let [found, least, smallest]: [A | undefined, number, number] = [undefined, far, 0]
  for (const candidate of candidates) {
    const value = measure(candidate)
    if (value < least || (value === least && value < far && size(candidate) < smallest)) {
      ;[found, least, smallest] = [candidate, value, size(candidate)]
    }
  }
  return found
}

/** The difference of names that have nothing in common. */
const far = 1

const isIndex = (part: string) => /^\d+$/.test(part)

/** How different two keys are, from 0 to `far`. */
const keyStrangeness = (wanted: KeyPath, candidate: KeyPath): number => {
  const beside = parallel(wanted, candidate)
  const besideIndex = candidate.slice(0, -1).every((part, i) => part !== item || wanted[i] === item)
  if (!besideIndex) return far
  const same = wanted.length === candidate.length && beside < far ? beside : far
  const last = strangeness(wanted.at(-1)!, candidate.at(-1)!)
  const elsewhere = candidate.includes(item) || last > 0.5 ? far : last + (last === 0 ? 0.2 : 0.3)
  // `data_paths` for `data.paths`
  const flat = strangeness(wanted.join("_"), candidate.join("_"))
  const written = wanted.length === candidate.length || flat > 0.2 ? far : flat + 0.1
  return Math.min(same, elsewhere, written, far)
}

/** Part by part, of which all but the last must be close. */
const parallel = (wanted: KeyPath, candidate: KeyPath): number => {
  const parts = candidate.map((part, i) => strangeness(wanted[i] ?? "", part))
  const parents = parts.slice(0, -1)
  return parents.some((value) => value > 0.5)
    ? far
    : Math.min(far, (parts.at(-1) ?? far) + 0.5 * Math.max(0, ...parents))
}

/** How different two names are, from 0 for the same name to `far`. */
const strangeness = (wanted: string, candidate: string): number => {
  const [a, b] = [wanted.slice(0, longest).toLowerCase(), candidate.toLowerCase()]
  if (a === b) return 0
  if (a === "" || b === "") return far
  const [words, names] = [wordsOf(wanted), wordsOf(candidate)]
  if (words.join("") === names.join("")) return 0.05
  if (words.map(singular).join(" ") === names.map(singular).join(" ")) return 0.1
  return Math.min(
    typing(a, b),
    isInitials(a, names) || isInitials(b, words) ? 0.3 : far,
    b.startsWith(a) && a.length >= 2 ? 0.4 : far,
    a.startsWith(b) && b.length >= 4 ? 0.45 : far,
    shared(words, names),
    names.slice(-words.length).join(" ") === words.join(" ") ? 0.25 : far,
    b.endsWith(a) && a.length >= 3 ? 0.3 : far,
    b.includes(a) && a.length >= 3 ? 0.5 : far,
    commonPrefix(a, b) >= Math.max(4, 0.6 * Math.max(a.length, b.length)) ? 0.5 : far
  )
}

/** A longer name is not a mistyped one. */
const longest = 100

const wordsOf = (name: string): ReadonlyArray<string> =>
  name
    .slice(0, longest)
    .replaceAll(/([a-z\d])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "")

const singular = (word: string) => (word.length > 2 ? word.replace(/s$/, "") : word)

/** Mistyped letters: at most a third of them, and fewer than all. */
const typing = (a: string, b: string): number => {
  const length = Math.max(a.length, b.length)
  const most = Math.max(1, Math.floor(length / 3))
  if (Math.abs(a.length - b.length) > most) return far
  const letters = edits(a, b)
  return letters <= most && letters / length <= 0.5 ? 0.15 + (0.5 * letters) / length : far
}

/** Damerau and Levenshtein's distance, in which one pair of neighbours may have been exchanged. */
const edits = (a: string, b: string): number => {
  let least = distance(a, b)
  for (let i = 0; i + 1 < a.length; i++) {
    if (a[i] !== a[i + 1] && (a[i] === b[i + 1] || a[i + 1] === b[i])) {
      least = Math.min(least, 1 + distance(a.slice(0, i) + a[i + 1]! + a[i]! + a.slice(i + 2), b))
    }
  }
  return least
}

const isInitials = (text: string, words: ReadonlyArray<string>): boolean =>
  words.length >= 2 && text === words.map((word) => word[0]).join("")

/** Words in common: at least half of all the words of both. */
const shared = (words: ReadonlyArray<string>, names: ReadonlyArray<string>): number => {
  const left = [...names]
  const common: Array<string> = []
  for (const word of words) {
    const at = left.findIndex((name) => isWord(word, name))
    if (at < 0) continue
    left.splice(at, 1)
    common.push(word)
  }
  const share = common.length / (words.length + names.length - common.length)
  // One letter, as in `n_layer`, is too little in common.
  return share >= 0.5 && common.some((word) => word.length > 1) ? 0.35 + 0.4 * (1 - share) : far
}

/** Whether a word stands for another one: itself, mistyped, its beginning (`num`), or its main letters (`ctx`). */
const isWord = (word: string, name: string): boolean => {
  if (singular(word) === singular(name) || name.startsWith(word)) return true
  if (name.length >= 3 && word.startsWith(name)) return true
  if (word.length >= 4 && typing(word, name) < far) return true
  return word.length >= 3 && word[0] === name[0] && isWithin(word, name)
}

/** Whether the letters of a word are in another one, in their order. */
const isWithin = (word: string, name: string): boolean => {
  let at = 0
  for (const letter of name) if (letter === word[at]) at++
  return at === word.length
}

const commonPrefix = (a: string, b: string): number => {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return length
}
