/**
 * Words and how often each was seen: all that training keeps of a text.
 *
 * The words lie behind one another in one array of UTF-16 units. Their order is that in which they came unless it is said
 * to be sorted; the order of words is that of their code points, as in UTF-8.
 */
import { sortIndexes } from "./Sort.ts"

export interface Words {
  readonly units: Uint16Array
  /** Word i is `units[starts[i], starts[i + 1])`. */
  readonly starts: Int32Array
  readonly counts: Float64Array
}

export const size = (words: Words): number => words.counts.length

export const wordAt = ({ starts, units }: Words, word: number): string =>
  textOf(units.subarray(starts[word]!, starts[word + 1]!))

/** Units as a string, however many they are. */
export const textOf = (units: Uint16Array): string => {
  let text = ""
  for (let at = 0; at < units.length; at += 4096) text += String.fromCharCode(...units.subarray(at, at + 4096))
  return text
}

/** In the order of code points: < 0, 0 or > 0. */
export const compare = (a: Uint16Array, aFrom: number, aTo: number, b: Uint16Array, bFrom: number, bTo: number) => {
  const length = Math.min(aTo - aFrom, bTo - bFrom)
  for (let i = 0; i < length; i++) {
    const x = a[aFrom + i]!
    const y = b[bFrom + i]!
    if (x !== y) return rank(x) - rank(y)
  }
  return aTo - aFrom - (bTo - bFrom)
}

/** Surrogates come after all other units: what they write lies beyond U+FFFF. */
const rank = (unit: number) => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800)

/** The words in order. A generator that yields now and then, so that the caller can breathe. */
export const sorted = function* (words: Words): Generator<undefined, Words, void> {
  const { starts, units } = words
  const order = yield* sortIndexes(size(words), (a, b) =>
    compare(units, starts[a]!, starts[a + 1]!, units, starts[b]!, starts[b + 1]!)
  )
  return yield* selecting(words, order)
}

/** Some of the words, in this order. */
export const select = (words: Words, order: Int32Array): Words => {
  const steps = selecting(words, order)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** As `select`; yields now and then. */
const selecting = function* ({ counts, starts, units }: Words, order: Int32Array): Generator<undefined, Words, void> {
  let total = 0
  for (let i = 0; i < order.length; i++) {
    total += starts[order[i]! + 1]! - starts[order[i]!]!
    if (i % WORDS_A_BREATH === 0) yield
  }
  const chosen = {
    units: new Uint16Array(total),
    starts: new Int32Array(order.length + 1),
    counts: new Float64Array(order.length)
  }
  let at = 0
  for (let i = 0; i < order.length; i++) {
    const word = order[i]!
    const end = starts[word + 1]!
    // Words are short: a view of each would take longer than its units.
    for (let unit = starts[word]!; unit < end; unit++) chosen.units[at++] = units[unit]!
    chosen.starts[i + 1] = at
    chosen.counts[i] = counts[word]!
    if (i % WORDS_A_BREATH === 0) yield
  }
  return chosen
}

const WORDS_A_BREATH = 1 << 14
