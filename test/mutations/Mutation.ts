/**
 * Damaged files: a valid one with a few changes, drawn from a seed. Changes are of bits and slices, as a disk or a network makes them,
 * and of words, as people and attackers make them: numbers out of range, names that objects already have, deep nesting, repetition.
 */

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the notation of interpolation is one of the words

/** Numbers in [0, 1) from a seed (mulberry32), the same everywhere. */
export const randomFrom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A damaged copy. `donors` are other valid files, from which slices may come. */
export const mutate = (bytes: Uint8Array, seed: number, donors: ReadonlyArray<Uint8Array> = []): Uint8Array => {
  const random = randomFrom(seed)
  const below = (count: number) => Math.floor(random() * count)
  const pick = <A>(items: ReadonlyArray<A>): A => items[below(items.length)]!
  let result: Buffer = Buffer.from(bytes)
  for (let changes = 1 + below(4); changes > 0; changes--) {
    const change = random() < 0.5 ? pick(ofBytes) : pick(ofWords)
    result = change({ bytes: result, below, pick, donors })
    if (result.length > LARGEST) result = result.subarray(0, LARGEST)
  }
  return new Uint8Array(result)
}

const LARGEST = 1 << 20

interface Draw {
  readonly bytes: Buffer
  readonly below: (count: number) => number
  readonly pick: <A>(items: ReadonlyArray<A>) => A
  readonly donors: ReadonlyArray<Uint8Array>
}
type Change = (draw: Draw) => Buffer

const splice = (bytes: Buffer, from: number, to: number, inserted: Uint8Array) =>
  Buffer.concat([bytes.subarray(0, from), inserted, bytes.subarray(to)])

/** A slice of at most 64 bytes, more often short. */
const slice = ({ below, bytes }: Draw): readonly [number, number] => {
  const from = below(bytes.length + 1)
  return [from, Math.min(bytes.length, from + below(2 ** below(7)) + 1)]
}

const ofBytes: ReadonlyArray<Change> = [
  // One bit.
  ({ below, bytes }) => {
    const copy = Buffer.from(bytes)
    if (copy.length > 0) copy[below(copy.length)]! ^= 1 << below(8)
    return copy
  },
  // A byte: any, or one that means something in these formats.
  (draw) => {
    const byte =
      draw.below(2) === 0 ? draw.below(256) : draw.pick([...Buffer.from("[]{}:,\"'\\-&*!|>%#?\n\t\0 ${}~=.0")])
    const at = draw.below(draw.bytes.length + 1)
    return splice(draw.bytes, at, at + draw.below(2), Uint8Array.of(byte))
  },
  // Remove, repeat or move a slice; cut off the end; take a slice of another file.
  (draw) => splice(draw.bytes, ...slice(draw), new Uint8Array()),
  (draw) => {
    const [from, to] = slice(draw)
    return splice(draw.bytes, to, to, draw.bytes.subarray(from, to))
  },
  (draw) => {
    const [from, to] = slice(draw)
    const at = draw.below(draw.bytes.length + 1)
    return splice(draw.bytes, at, at, draw.bytes.subarray(from, to))
  },
  ({ below, bytes }) => bytes.subarray(0, below(bytes.length + 1)),
  (draw) => {
    const [from, to] = slice({ ...draw, bytes: Buffer.from(draw.pick([draw.bytes, ...draw.donors])) })
    const at = draw.below(draw.bytes.length + 1)
    return splice(draw.bytes, at, at, Buffer.from(draw.pick([draw.bytes, ...draw.donors])).subarray(from, to))
  }
]

const words = [
  ..."0 -1 1 1.5 1e999 -1e999 1e400 NaN .nan Infinity .inf -.inf 4294967296 9007199254740993 1e-400 99999999999999999999".split(
    " "
  ),
  ...'null true false ~ "" \'\' [] {} [[]] [{}] "a" yes on 0x7fffffff 2026-01-01 !!binary !!set'.split(" "),
  ..."__proto__ constructor toString hasOwnProperty valueOf length name defaults _self_ << *a &a".split(" "),
  '"__proto__"',
  '"\\ud800"',
  "\ud83d\ude00",
  "${name}",
  "${model}",
  "${oc.env:HOME}",
  "${oc.decode:[1,2]}",
  "\\${",
  '"${training.lr}"'
]

const ofWords: ReadonlyArray<Change> = [
  // Another word or number in the place of one.
  (draw) => replaceWord(draw, () => draw.pick(words)),
  // Two words change places.
  (draw) => {
    const found = wordsOf(draw.bytes)
    if (found.length < 2) return draw.bytes
    const [a, b] = [draw.pick(found), draw.pick(found)].sort((x, y) => x[0] - y[0])
    if (a![1] > b![0]) return draw.bytes
    const text = (place: readonly [number, number]) => draw.bytes.subarray(place[0], place[1])
    return splice(splice(draw.bytes, b![0], b![1], text(a!)), a![0], a![1], text(b!))
  },
  // A word inside many brackets, or in itself.
  (draw) => {
    const depth = 2 ** draw.below(14)
    const [open, close] = draw.pick([
      ["[", "]"],
      ['{"a":', "}"],
      ["{a: ", "}"],
      ["- ", ""],
      ["${", "}"],
      ['{"type":"Sequence","normalizers":[', "]}"]
    ] as const)
    return replaceWord(draw, (word) => open.repeat(depth) + word + close.repeat(depth))
  },
  (draw) => replaceWord(draw, (word) => draw.pick([`&a [*a, ${word}]`, `&a ${word}`, "*a", `{<<: *a, b: ${word}}`])),
  // A line many times; a line with another indentation.
  (draw) => {
    const lines = draw.bytes.toString("latin1").split("\n")
    const at = draw.below(lines.length)
    const line = lines[at]!
    const other = draw.pick([`${line}\n`.repeat(2 ** draw.below(8)), ` ${line}`, line.trimStart(), `- ${line}`])
    return Buffer.from(lines.with(at, other).join("\n"), "latin1")
  }
]

const wordsOf = (bytes: Buffer): ReadonlyArray<readonly [number, number]> =>
  [...bytes.toString("latin1").matchAll(/"(?:[^"\\\n]|\\.)*"|[\w.+-]+/g)].map((match): readonly [number, number] => [
    match.index,
    match.index + match[0].length
  ])

const replaceWord = (draw: Draw, by: (word: string) => string): Buffer => {
  const found = wordsOf(draw.bytes)
  if (found.length === 0) return draw.bytes
  const [from, to] = draw.pick(found)
  return splice(draw.bytes, from, to, Buffer.from(by(draw.bytes.subarray(from, to).toString())))
}
