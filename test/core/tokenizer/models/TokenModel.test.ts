import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { WordCache } from "../../../../src/core/tokenizer/models/TokenModel.ts"
import { TokenIds } from "../../../../src/core/tokenizer/TokenIds.ts"

/** What the cache knows about `text[start, end)`. */
const look = (cache: WordCache, text: string, start = 0, end = text.length) => {
  const record = cache.find(text, start, end)
  if (record <= 0) return record
  const output = new TokenIds()
  cache.append(record, output)
  return [...output.toArray()]
}

const put = (cache: WordCache, word: string, value: ReadonlyArray<number>) => {
  if (cache.find(word, 0, word.length) === 0) cache.add(Int32Array.from([-1, ...value, -1]), 1, 1 + value.length)
}

describe("WordCache", () => {
  it("remembers as a Map does", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(
          FastCheck.tuple(
            FastCheck.string({ unit: "binary", minLength: 1, maxLength: 20 }),
            FastCheck.array(FastCheck.nat())
          )
        ),
        (entries) => {
          const cache = new WordCache()
          const map = new Map<string, ReadonlyArray<number>>()
          for (const [word, value] of entries) {
            put(cache, word, value)
            if (!map.has(word)) map.set(word, value)
          }
          for (const [word, value] of map) {
            expect(look(cache, word)).toEqual(value)
            expect(look(cache, `x${word}y`, 1, 1 + word.length)).toEqual(value)
          }
        }
      )
    )
  })

  it("tells words apart that share beginnings, ends and zeros", () => {
    const cache = new WordCache()
    const words = ["a", "a\0", "\0a", "aa", "aaa", "\0", "\0\0", "ab", "ba", "a".repeat(64), "a".repeat(63)]
    for (const [i, word] of words.entries()) put(cache, word, [i])
    expect(words.map((word) => look(cache, word))).toEqual(words.map((_, i) => [i]))
  })

  it("does not keep words of more than 64 units", () => {
    const cache = new WordCache()
    expect(cache.find("a".repeat(65), 0, 65)).toBe(-1)
    expect(cache.find("a".repeat(65), 0, 64)).toBe(0)
  })

  it("starts afresh when its memory is used up, and is right all the while", () => {
    const cache = new WordCache()
    let forgotten = 0
    let wrong = 0
    for (let i = 0; i < 400_000; i++) {
      put(cache, `word ${i}`, [i, i + 1])
      const earlier = Math.floor(i / 2)
      for (const n of [i, earlier]) {
        const known = look(cache, `word ${n}`)
        if (known === 0 && n === earlier) forgotten++
        else if (String(known) !== `${n},${n + 1}`) wrong++
      }
    }
    expect(wrong).toBe(0)
    expect(forgotten).toBeGreaterThan(0)
    expect(forgotten).toBeLessThan(400_000)
  })
})
