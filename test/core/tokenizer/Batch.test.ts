/**
 * Special tokens around texts, truncation with windows, padding. Oracle: the native `tokenizers` package with the same
 * options, and shapes counted by hand. The native `encode` reads no further than the first window needs (0.23 loses the
 * last windows, and all of them without a post-processor), so windows are those of the native `truncate`.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import { Tokenizer } from "../../../src/core/Tokenizer.ts"
import type { Encoding, Truncation } from "../../../src/core/tokenizer/Encoding.ts"
import * as Pipeline from "../../../src/core/tokenizer/Pipeline.ts"
import type { PostProcessor, TokenizerJson } from "../../../src/core/tokenizer/TokenizerJson.ts"
import { native, toUnits, words } from "./native.ts"

const special = (id: string, ids: ReadonlyArray<number>) => ({ id, ids, tokens: ids.map(() => id) })
const piece = (id: "A" | "B", type_id: number) => ({ Sequence: { id, type_id } })
const token = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } })

const processors: ReadonlyArray<PostProcessor | null> = [
  null,
  { type: "BertProcessing", sep: ["</s>", 2], cls: ["<s>", 1] },
  { type: "RobertaProcessing", sep: ["</s>", 2], cls: ["<s>", 1], trim_offsets: true, add_prefix_space: false },
  {
    type: "Sequence",
    processors: [
      { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
      {
        type: "TemplateProcessing",
        single: [token("<s>", 0), piece("A", 0)],
        pair: [token("<s>", 0), piece("B", 3), token("two", 1), piece("A", 1)],
        special_tokens: { "<s>": special("<s>", [1]), two: special("two", [2, 3]) }
      }
    ]
  }
]

const text = FastCheck.array(FastCheck.constantFrom("a", "b", "c", "ü", "😀", "zz"), { maxLength: 9 }).map((list) =>
  list.join(" ")
)

const truncations = FastCheck.record({
  maxLength: FastCheck.integer({ min: 1, max: 14 }),
  stride: FastCheck.integer({ min: 0, max: 4 }),
  side: FastCheck.constantFrom("left" as const, "right" as const),
  strategy: FastCheck.constantFrom("longest_first" as const, "only_first" as const, "only_second" as const)
})

const strategies = { longest_first: "LongestFirst", only_first: "OnlyFirst", only_second: "OnlySecond" } as const

const oracleOf = (definition: TokenizerJson, truncation: Truncation | undefined) =>
  native(
    truncation === undefined
      ? definition
      : {
          ...definition,
          truncation: {
            max_length: truncation.maxLength,
            stride: truncation.stride,
            direction: truncation.side === "left" ? "Left" : "Right",
            strategy: strategies[truncation.strategy ?? "longest_first"]
          }
        }
  )

type Native = Awaited<ReturnType<ReturnType<typeof native>["encode"]>>

const same = (ours: Encoding, theirs: Native, texts: ReadonlyArray<string>): void => {
  const sequences = theirs.getSequenceIds().map((id) => id ?? -1)
  const offsets = theirs.getOffsets().flatMap((range, i) => toUnits(texts[sequences[i] ?? 0] ?? "", [range]))
  expect({
    ids: [...ours.ids],
    typeIds: [...ours.typeIds],
    specialTokensMask: [...ours.specialTokensMask],
    attentionMask: [...ours.attentionMask],
    sequenceIds: [...ours.sequenceIds],
    offsets: [...(ours.offsets ?? [])]
  }).toEqual({
    ids: theirs.getIds(),
    typeIds: theirs.getTypeIds(),
    specialTokensMask: theirs.getSpecialTokensMask(),
    attentionMask: theirs.getAttentionMask(),
    sequenceIds: sequences,
    offsets
  })
}

describe("encoding", () => {
  for (const post_processor of processors) {
    const definition = { ...words, post_processor }
    const tokenizer = Effect.runSync(Pipeline.make(definition))
    const untruncated = native(definition)

    it.effect.prop(
      `${post_processor?.type ?? "nothing"} around texts and pairs`,
      [text, FastCheck.option(text, { nil: undefined }), FastCheck.boolean()],
      ([first, second, addSpecialTokens]) =>
        Effect.gen(function* () {
          const theirs = yield* Effect.promise(() => untruncated.encode(first, second ?? null, { addSpecialTokens }))
          const ours = yield* tokenizer.encoding(second === undefined ? first : [first, second], { addSpecialTokens })
          same(ours, theirs, [first, second ?? ""])
        })
    )

    it.effect.prop(
      `${post_processor?.type ?? "nothing"} around what truncation leaves`,
      [text, FastCheck.option(text, { nil: undefined }), truncations],
      ([first, second, truncation]) =>
        Effect.gen(function* () {
          const ours = yield* Effect.either(
            tokenizer.encoding(second === undefined ? first : [first, second], { truncation })
          )
          // What codex refuses, the native package handles differently, or aborts the process.
          if (ours._tag === "Left") {
            expect(ours.left.message).toMatch(/^truncation\./)
            return
          }
          expect(ours.right.ids.length).toBeLessThanOrEqual(truncation.maxLength)
          // The native package cuts a text that alone is too long before it divides the length between the pair.
          if (
            second !== undefined &&
            [first, second].some((one) => tokenizer.encode(one).length >= truncation.maxLength - 4)
          )
            return
          const oracle = oracleOf(definition, truncation)
          const theirs = yield* Effect.promise(() => oracle.encode(first, second ?? null))
          same(ours.right, theirs, [first, second ?? ""])
        })
    )
  }
})

describe("overflow", () => {
  const windows = FastCheck.integer({ min: 1, max: 5 }).chain((maxLength) =>
    FastCheck.record({
      maxLength: FastCheck.constant(maxLength),
      stride: FastCheck.integer({ min: 0, max: maxLength - 1 }),
      side: FastCheck.constantFrom("left" as const, "right" as const)
    })
  )

  const tokenizer = Effect.runSync(Pipeline.make(words))
  const oracle = native(words)

  it.effect.prop("has the windows that the native package cuts", [text, windows], ([given, truncation]) =>
    Effect.gen(function* () {
      const theirs = yield* Effect.promise(() => oracle.encode(given))
      theirs.truncate(truncation.maxLength, truncation.stride, truncation.side)
      const ours = yield* tokenizer.encoding(given, { truncation })
      expect([ours, ...ours.overflowing].map(({ ids }) => [...ids])).toEqual(
        [theirs, ...theirs.getOverflowing()].map((window) => window.getIds())
      )
    })
  )

  it.effect("of a pair has each window of one with each of the other", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Pipeline.make({ ...words, post_processor: processors[1] ?? null })
      const ours = yield* tokenizer.encoding(["a b c", "d e"], { truncation: { maxLength: 5 } })
      const written = ({ ids }: Encoding) => Array.from(ids, tokenizer.token).join(" ")
      expect([ours, ...ours.overflowing].map(written)).toEqual([
        "<s> a </s> d </s>",
        "<s> b </s> d </s>",
        "<s> b </s> e </s>",
        "<s> c </s> d </s>",
        "<s> c </s> e </s>",
        "<s> a </s> e </s>"
      ])
    })
  )
})

const plain = Pipeline.make(words)

describe("batch", () => {
  it.effect("pads to the longest, on either side", () =>
    Effect.gen(function* () {
      const tokenizer = yield* plain
      const right = yield* tokenizer.batch(["a b c", "d"])
      expect(right.shape).toEqual([2, 3])
      expect([...right.inputIds]).toEqual([4, 5, 6, 7, 3, 3])
      expect([...right.attentionMask]).toEqual([1, 1, 1, 1, 0, 0])
      expect([...right.specialTokensMask]).toEqual([0, 0, 0, 0, 1, 1])
      expect([...(right.offsets ?? [])]).toEqual([0, 1, 2, 3, 4, 5, 0, 1, 0, 0, 0, 0])
      const left = yield* tokenizer.batch(["a b c", "d"], { padding: { to: "longest", side: "left", multipleOf: 4 } })
      expect(left.shape).toEqual([2, 4])
      expect([...left.inputIds]).toEqual([3, 4, 5, 6, 3, 3, 3, 7])
      expect([...left.attentionMask]).toEqual([0, 1, 1, 1, 0, 0, 0, 1])
    })
  )

  it.effect("makes every row as long as padToMax says", () =>
    Effect.gen(function* () {
      const tokenizer = yield* plain
      const batch = yield* tokenizer.batch(["a b c d e", "f", ""], { padToMax: 3 })
      expect(batch.shape).toEqual([3, 3])
      expect([...batch.inputIds]).toEqual([4, 5, 6, 9, 3, 3, 3, 3, 3])
      expect(batch.inputIds).toBeInstanceOf(Int32Array)
    })
  )

  it.effect("makes rows of the overflow when asked to, and says whose they are", () =>
    Effect.gen(function* () {
      const tokenizer = yield* plain
      const options = { truncation: { maxLength: 3, stride: 1 }, returnOverflowing: true }
      const batch = yield* tokenizer.batch(["a b c d e", "f"], options)
      expect(batch.shape).toEqual([3, 3])
      expect([...batch.inputIds]).toEqual([4, 5, 6, 6, 7, 8, 9, 3, 3])
      expect([...batch.sample]).toEqual([0, 0, 1])
      const without = yield* tokenizer.batch(["a b c d e", "f"], { truncation: { maxLength: 3 } })
      expect([...without.sample]).toEqual([0, 1])
    })
  )

  it.effect("of nothing is empty", () =>
    Effect.map(
      Effect.flatMap(plain, (tokenizer) => tokenizer.batch([])),
      ({ inputIds, shape }) => {
        expect([shape, inputIds.length]).toEqual([[0, 0], 0])
      }
    )
  )

  it.effect("refuses what cannot be, by the name of the option", () =>
    Effect.gen(function* () {
      const tokenizer = yield* plain
      const { byteLevel, decode, encode, files, token, vocabularySize } = tokenizer
      const primitives = { byteLevel, decode, encode, files, token, vocabularySize }
      const bare = Tokenizer.make({ ...primitives, specialTokens: {}, endOfText: undefined })
      const refused = (texts: ReadonlyArray<string>, options: Parameters<typeof tokenizer.batch>[1]) =>
        Effect.map(Effect.flip(tokenizer.batch(texts, options)), (error) => `${error.option}: ${error.message}`)
      expect(yield* refused(["a"], { padding: { to: "max_length" } })).toMatch(/^padding.maxLength: .* is required/)
      expect(yield* refused(["a b"], { padding: { to: "max_length", maxLength: 1 } })).toMatch(/^padding.maxLength: /)
      expect(yield* refused(["a"], { padding: { to: "longest", multipleOf: 0 } })).toMatch(/^padding.multipleOf: /)
      expect(yield* refused(["a"], { padToMax: 0 })).toMatch(/^truncation.maxLength: /)
      expect(yield* refused(["a"], { padToMax: 4, truncation: { maxLength: 3 } })).toMatch(/^padToMax: /)
      expect(yield* refused(["a b c"], { truncation: { maxLength: 2, stride: 2 } })).toMatch(/^truncation.stride: /)
      expect(yield* refused(["a b c"], { truncation: { maxLength: 2, stride: -1 } })).toMatch(/^truncation.stride: /)
      expect((yield* Effect.flip(bare.batch(["a b", "c"]))).option).toBe("padding.padToken")
      expect((yield* bare.batch(["a", "b"])).shape).toEqual([2, 1])
    })
  )
})
