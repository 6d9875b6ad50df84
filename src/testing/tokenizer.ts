/// <reference lib="es2024.string" />
/**
 * The contract of a tokenizer: the laws of core/Tokenizer.ts as tests, on given and on random texts, with lone surrogates.
 */
import { expect, layer } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Tokenizer } from "../core/Tokenizer.ts"

/** Texts that have broken tokenizers: nothing, spaces, every plane, combining marks, NUL, bidirectional text, code. */
export const hardTexts: ReadonlyArray<string> = [
  "",
  " ",
  "   leading and trailing   ",
  "Call me Ishmael. Don't you'd we'll I'M",
  "tabs\tand\r\nline\n\n\nends\u0085\u2028",
  "naïve café — “quotes” … ½ ² Ⅷ",
  "e\u0301 versus é; ก็ที่ हिन्दी",
  "👩‍👩‍👧‍👦 🇩🇪 👍🏽 😀😀",
  "日本語の文章と漢字、한국어 텍스트",
  "שלום \u202Eمرحبا\u202C",
  "\0\u0001\u007F\uFEFF\uFFFD\uFFFF",
  "const f = (x) => { return x?.[0] ?? `a$x`; } // 1e-9",
  "<|endoftext|> <|endoftext|><s></s>[CLS]",
  "__proto__ constructor toString",
  "x".repeat(3000),
  "\uD800 lone \uDC00 surrogates \uDBFF",
  "𝒜𝓫𝔠 \u{10FFFF}"
]

/** Any UTF-16 units, so that there are lone surrogates and pairs. */
const units = FastCheck.array(
  FastCheck.oneof(
    FastCheck.integer({ min: 0, max: 0xffff }),
    FastCheck.integer({ min: 0xd7f0, max: 0xe00f }),
    FastCheck.integer({ min: 0x20, max: 0x7e })
  ),
  { maxLength: 60 }
).map((codes) => String.fromCharCode(...codes))

const anyText = FastCheck.oneof(units, FastCheck.string({ unit: "grapheme", maxLength: 60 }))

/** Tests the laws of a tokenizer. `texts` are tested in addition to {@link hardTexts}. */
export const tokenizerContract = <E>(
  name: string,
  tokenizer: Layer.Layer<Tokenizer, E>,
  texts: ReadonlyArray<string> = []
): void =>
  layer(tokenizer)(`${name}: tokenizer laws`, (it) => {
    const given = [...hardTexts, ...texts]

    const everyText = (
      law: string,
      check: (service: Tokenizer.Service, text: string) => Effect.Effect<void, unknown>
    ) => {
      it.effect(`${law} (given texts)`, () =>
        Effect.flatMap(Tokenizer, (service) => Effect.forEach(given, (text) => check(service, text)))
      )
      it.effect.prop(`${law} (random texts)`, [anyText], ([text]) =>
        Effect.flatMap(Tokenizer, (service) => check(service, text))
      )
    }

    everyText("1 decoding undoes encoding when the tokenizer is byte-level", (service, text) =>
      Effect.gen(function* () {
        const decoded = yield* service.decode(service.encode(text))
        if (service.byteLevel) expect(decoded).toBe(text.toWellFormed())
        else expect(typeof decoded).toBe("string")
      })
    )

    everyText("2 and 3 ids are in the vocabulary and are never special", (service, text) =>
      Effect.sync(() => {
        const special = new Set(Object.values(service.specialTokens).filter((id) => id !== service.unknownToken))
        const ids = service.encode(text)
        expect(ids).toBeInstanceOf(Int32Array)
        expect(ids.filter((id) => id < 0 || id >= service.vocabularySize || special.has(id))).toEqual(new Int32Array(0))
      })
    )

    it.effect("3 special tokens written in a text are ordinary text", () =>
      Effect.map(Tokenizer, (service) => {
        for (const [token, id] of Object.entries(service.specialTokens)) {
          expect(service.token(id)).toBe(token)
          if (id !== service.unknownToken) expect(Array.from(service.encode(`a${token}b`))).not.toContain(id)
        }
      })
    )

    it.effect.prop(
      "4 a stream of any ids decodes to the text of all of them, in whole characters",
      [
        FastCheck.array(FastCheck.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
        FastCheck.integer({ min: 1, max: 5 })
      ],
      ([places, size]) =>
        Effect.gen(function* () {
          const service = yield* Tokenizer
          const ids = places.map((place) => Math.floor(place * service.vocabularySize))
          const pieces = yield* Stream.fromIterable(ids).pipe(
            Stream.rechunk(size),
            service.decodeStream,
            Stream.runCollect,
            Effect.map(Chunk.toReadonlyArray)
          )
          expect(pieces.join("")).toBe(yield* service.decode(ids))
          expect(pieces.filter((piece) => piece === "" || !piece.isWellFormed())).toEqual([])
        })
    )

    everyText("4 the ids of a text stream back to the text", (service, text) =>
      Effect.gen(function* () {
        const ids = service.encode(text)
        const pieces = yield* Stream.runCollect(service.decodeStream(Stream.fromIterable(ids)))
        expect(Chunk.join(pieces, "")).toBe(yield* service.decode(ids))
      })
    )

    it.effect("5 a batch is encoded as its texts are", () =>
      Effect.map(Tokenizer, (service) => {
        expect(service.encodeBatch(given)).toEqual(given.map((text) => service.encode(text)))
      })
    )

    everyText("6 offsets are in the text, in order, and the ids are those of encode", (service, text) =>
      Effect.sync(() => {
        const { ids, offsets } = service.encodeWithOffsets(text)
        expect(ids).toEqual(service.encode(text))
        if (offsets === undefined) return
        expect(offsets.length).toBe(2 * ids.length)
        let [before, until] = [0, 0]
        for (let i = 0; i < ids.length; i++) {
          const [start, end] = [offsets[2 * i] ?? Number.NaN, offsets[2 * i + 1] ?? Number.NaN]
          expect(start).toBeGreaterThanOrEqual(before)
          expect(end).toBeGreaterThanOrEqual(Math.max(start, until))
          expect(end).toBeLessThanOrEqual(text.length)
          before = start
          until = end
        }
      })
    )

    it.effect("7 special tokens in a text are tokens when requested", () =>
      Effect.gen(function* () {
        const service = yield* Tokenizer
        for (const [token, id] of Object.entries(service.specialTokens)) {
          const ids = service.encodeWithSpecialTokens(`a${token}${token}b`)
          expect(ids.filter((found) => found === id).length).toBeGreaterThanOrEqual(2)
          if (!service.byteLevel) continue
          expect(Array.from(ids)).toEqual([...service.encode("a"), id, id, ...service.encode("b")])
          expect(yield* service.decodeWithSpecialTokens(ids)).toBe(`a${token}${token}b`)
        }
      })
    )

    it.effect("byte lengths sum up to the bytes of the text if every text is restored", () =>
      Effect.gen(function* () {
        const service = yield* Tokenizer
        if (!service.byteLevel) return
        for (const text of given) {
          const lengths = yield* Effect.forEach(service.encode(text), service.byteLength)
          expect(lengths.reduce((sum, bytes) => sum + bytes, 0)).toBe(new TextEncoder().encode(text).length)
        }
      })
    )

    it.effect("ids outside the vocabulary are refused by number", () =>
      Effect.gen(function* () {
        const service = yield* Tokenizer
        for (const id of [-1, service.vocabularySize, 0.5]) {
          const error = yield* Effect.flip(service.decode([id]))
          expect(error).toMatchObject({ _tag: "UnknownToken", id, vocabularySize: service.vocabularySize })
          expect(yield* Effect.flip(Stream.runDrain(service.decodeStream(Stream.make(id))))).toEqual(error)
        }
      })
    )
  })
