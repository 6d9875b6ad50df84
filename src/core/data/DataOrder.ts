/**
 * The order in which a run sees its text: a function of (seed, epoch, index), so a loader's state is two numbers.
 *
 * A text of n tokens is cut into windows of T+1 tokens (T inputs, each with its next token as target) that overlap by one.
 * Every epoch shifts the cuts by its own offset and visits the windows in its own order. Fewer than 2T tokens do not fit into
 * the windows of one epoch, at the two ends of the text. The offsets walk through their whole range in steps of the golden
 * ratio: those of any number of epochs are spread evenly, and as many epochs as there are offsets use each of them once, so
 * every token but the first is a target in some epoch. The order of the windows is a keyed
 * permutation of {0 … N−1} computed per index (a four-round Feistel network, stepping over values ≥ N), so it costs no
 * memory however large the text is. Source: Black & Rogaway 2002, "Ciphers with arbitrary finite domains".
 */

/** A bijection of 32-bit numbers that scatters neighbours. Source: MurmurHash3's finalizer (Appleby, public domain). */
export const scramble = (value: number): number => {
  let h = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** 32 well mixed bits of two 32-bit numbers. */
export const mix = (a: number, b: number): number =>
  scramble(Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35))

/** The image of `index` under the permutation of {0 … size−1} with this key. */
export const permute = (index: number, size: number, key: number): number => {
  if (size <= 1) return 0
  const half = Math.max(1, Math.ceil(Math.log2(size) / 2))
  const radix = 2 ** half
  let value = index
  do {
    let left = Math.floor(value / radix)
    let right = value % radix
    for (let round = 0; round < 4; round++) {
      ;[left, right] = [right, (left ^ mix(key + round, right)) & (radix - 1)]
    }
    value = left * radix + right
  } while (value >= size)
  return value
}

/** The windows of a text and their order in each epoch. */
export interface DataOrder {
  /** Windows per epoch, the same for every epoch. */
  readonly windows: number
  /** Position of the first token of window `index` (from 0) of epoch `epoch`. */
  readonly start: (epoch: number, index: number) => number
}

/** The order for a text of `tokens` tokens; `undefined` when it does not have one window of `contextLength + 1` tokens. */
export const make = (options: {
  readonly tokens: number
  readonly contextLength: number
  readonly seed: number
}): DataOrder | undefined => {
  const { contextLength, seed, tokens } = options
  const most = Math.floor((tokens - 1) / contextLength)
  if (most < 1) return undefined
  // One window less than fits, so that every offset leaves room for the same number; a text of a single window has only that.
  const windows = Math.max(1, Math.floor(tokens / contextLength) - 1)
  const offsets = tokens - windows * contextLength
  const first = mix(mix(seed, 0), 0x5bd1e995) % Math.min(contextLength, offsets)
  const stride = coprime(offsets)
  return {
    windows,
    start: (epoch, index) => {
      // Both factors are below 2T in a long text, and below 2³² with any that fits in memory: the product is exact.
      const offset = (first + (epoch % offsets) * stride) % offsets
      return offset + permute(index, windows, mix(seed, epoch)) * contextLength
    }
  }
}

/** The whole number from `size` divided by the golden ratio upwards that has no divisor in common with `size`. */
const coprime = (size: number): number => {
  let stride = Math.max(1, Math.round(size * ((Math.sqrt(5) - 1) / 2)))
  while (commonDivisor(stride, size) !== 1) stride += 1
  return stride
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b))
