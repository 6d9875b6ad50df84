/** Oracle: probabilities worked out by hand; what a context of one token means; splitting a text anywhere. Needs nothing. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Stream from "effect/Stream"
import { PCGRandom } from "effect/Utils"
import { describe, expect, it } from "vitest"
import { endBefore, make, type SamplingOptions, sample } from "../../../src/core/generation/Generation.ts"
import { initialParameters } from "../../../src/core/training/TrainingPrograms.ts"
import * as ReferenceBackend from "../../../src/services/backend/ReferenceBackend.ts"
import * as Tiny from "../../training/tiny.ts"

const defaults: SamplingOptions = { temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 }

/** Share of each token in 20,000 draws. */
const shares = (
  logits: ReadonlyArray<number>,
  options: Partial<SamplingOptions>,
  history: ReadonlyArray<number> = []
) => {
  const random = new PCGRandom(3)
  const counts = logits.map(() => 0)
  for (let i = 0; i < 20_000; i++) counts[sample(logits, history, { ...defaults, ...options }, random)]! += 1
  return counts.map((count) => count / 20_000)
}

const expectShares = (got: ReadonlyArray<number>, want: ReadonlyArray<number>) => {
  // Standard deviation of a share is at most 0.5 / sqrt(20,000) = 0.0035; four of them.
  got.forEach((share, i) => {
    expect(Math.abs(share - want[i]!)).toBeLessThan(0.0142)
  })
}

const logits = [Math.log(0.5), Math.log(0.3), Math.log(0.15), Math.log(0.05)]

describe("sampling", () => {
  it("draws by probability at temperature 1", () => expectShares(shares(logits, {}), [0.5, 0.3, 0.15, 0.05]))

  it("takes the most probable token at temperature 0, the smaller id of two", () => {
    expect(sample([1, 3, 3, 2], [], { ...defaults, temperature: 0 }, new PCGRandom(1))).toBe(1)
  })

  it("temperature ½ squares the probabilities", () => {
    const squares = [0.25, 0.09, 0.0225, 0.0025].map((square) => square / 0.365)
    expectShares(shares(logits, { temperature: 0.5 }), squares)
  })

  it("top-k keeps k tokens and renormalises", () => expectShares(shares(logits, { topK: 2 }), [0.625, 0.375, 0, 0]))

  it("top-p keeps the smallest set that reaches p", () => {
    expectShares(shares(logits, { topP: 0.7 }), [0.625, 0.375, 0, 0])
    expectShares(shares(logits, { topP: 0.01 }), [1, 0, 0, 0])
  })

  it("the repetition penalty divides positive logits and multiplies negative ones of seen tokens", () => {
    const greedy = (values: ReadonlyArray<number>, history: ReadonlyArray<number>) =>
      sample(values, history, { ...defaults, temperature: 0, repetitionPenalty: 2 }, new PCGRandom(1))
    expect(greedy([3, 2], [0])).toBe(1)
    expect(greedy([-1, -1.5], [0])).toBe(1)
    expect(greedy([3, 1], [0])).toBe(0)
  })
})

describe("a context", () => {
  /** Eight greedy tokens after a prompt of twelve. */
  const generated = (contextLength: number) => {
    const architecture = Tiny.architecture({ max_position_embeddings: contextLength })
    return Effect.gen(function* () {
      const generator = yield* make(architecture, initialParameters(architecture.parameters, 5))
      const prompt = Array.from({ length: 12 }, (_, i) => i)
      const tokens = generator.generate(prompt, { ...defaults, temperature: 0 }).pipe(Stream.take(8), Stream.runCollect)
      return Chunk.toReadonlyArray(yield* tokens)
    }).pipe(Effect.scoped, Effect.provide(ReferenceBackend.layer), Effect.runPromise)
  }

  it("needs a first token: an empty prompt is refused as what it is, not as a broken model", async () => {
    const architecture = Tiny.architecture({})
    const error = await Effect.gen(function* () {
      const generator = yield* make(architecture, initialParameters(architecture.parameters, 5))
      return yield* Effect.flip(Stream.runCollect(generator.generate([], defaults)))
    }).pipe(Effect.scoped, Effect.provide(ReferenceBackend.layer), Effect.runPromise)
    expect(error.message).toBe('Wrong input for "prompt": it has no tokens.')
  })

  it("of one token is enough: each token follows from the one before", async () => {
    const tokens = await generated(1)
    expect(tokens).toHaveLength(8)
    // Greedy and without memory: what follows a token is always the same.
    const next = new Map<number, number>()
    for (const [i, token] of tokens.slice(1).entries()) {
      expect(next.get(tokens[i]!) ?? token).toBe(token)
      next.set(tokens[i]!, token)
    }
  })

  it("of two or three tokens is enough", async () => {
    for (const length of [2, 3]) expect(await generated(length)).toHaveLength(8)
  })
})

describe("stop texts", () => {
  const run = (pieces: ReadonlyArray<string>, stops: ReadonlyArray<string>) =>
    Effect.runSync(
      Stream.fromIterable(pieces).pipe(endBefore(stops), Stream.runCollect, Effect.map(Chunk.toReadonlyArray))
    )

  it("ends before the first stop, however the text is cut", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.string({ unit: FastCheck.constantFrom("a", "b", "c"), maxLength: 30 }),
        FastCheck.array(FastCheck.string({ unit: FastCheck.constantFrom("a", "b"), minLength: 1, maxLength: 4 }), {
          minLength: 1,
          maxLength: 3
        }),
        FastCheck.array(FastCheck.integer({ min: 1, max: 4 })),
        (text, stops, cuts) => {
          const pieces: Array<string> = []
          let rest = text
          for (const cut of cuts) {
            pieces.push(rest.slice(0, cut))
            rest = rest.slice(cut)
          }
          // Letters one by one after the cuts: the earliest stop to be complete wins.
          pieces.push(...rest)
          const joined = run([...text], stops).join("")
          const ends = stops.flatMap((stop) => (text.includes(stop) ? [text.indexOf(stop)] : []))
          expect(text.startsWith(joined)).toBe(true)
          if (ends.length === 0) {
            expect(joined).toBe(text)
            expect(run(pieces, stops).join("")).toBe(text)
          } else expect(stops.some((stop) => text.startsWith(stop, joined.length))).toBe(true)
        }
      )
    )
  })

  it("lets text out as soon as it cannot belong to a stop", () => {
    expect(run(["he", "l", "lo", "\n", "\nx"], ["\n\n"])).toEqual(["he", "l", "lo"])
    expect(run(["a\n", "b"], ["\n\n"])).toEqual(["a", "\nb"])
  })
})
