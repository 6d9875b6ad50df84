/**
 * Counter-based random numbers: exactness and statistics. Oracles: the definition in 32-bit arithmetic of JavaScript
 * (Math.imul and friends), and the properties of a uniform distribution, at five standard deviations or a 10⁻⁶ quantile.
 * Needs a CPU session for the last group.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Backend } from "../../../../src/core/Backend.ts"
import { grad } from "../../../../src/core/tensor/Gradient.ts"
import { sum } from "../../../../src/core/tensor/ops/broadcast.ts"
import { dropout, randomBits, seedOfPart, uniform } from "../../../../src/core/tensor/ops/random.ts"
import * as Program from "../../../../src/core/tensor/Program.ts"
import * as Reference from "../../../../src/core/tensor/Reference.ts"
import { constant, integers, scalar, type Tensor } from "../../../../src/core/tensor/Tensor.ts"
import * as OnnxBackend from "../../../../src/services/backend/OnnxBackend.ts"

const count = 32_768

const numbers = (seed: number, stream: number, size = count) =>
  Reference.evaluate([uniform(integers([seed], []), [size], { stream })], new Map())[0]!.data

const bits = (seed: number, stream: number, size = count) =>
  Reference.evaluate([randomBits(integers([seed], []), [size], { stream })], new Map())[0]!.data

/** The definition in the header of random.ts, written out a second time. */
const byHand = (seed: number, stream: number, i: number): number => {
  const [g, a, b] = [0x9e3779b9, 0x85ebca6b, 0xc2b2ae35]
  const m = (x: number) => (x + Math.trunc(x / 65_536)) | 0
  const q = (x: number) => Math.imul(x, (2 * x + 1) | 0)
  const mix = (x: number) => m(Math.imul(m(q(m(Math.imul(m(q(x)), a)))), b))
  const k0 = mix((mix((seed + g) | 0) + Math.imul(stream, g)) | 0)
  const k1 = mix((k0 + g) | 0)
  const k2 = mix((k1 + g) | 0)
  const w = Math.imul(i, g)
  const c = m(Math.imul((w + k0) | 0, (2 * w + 2 * k1 + 1) | 0))
  return Math.imul(c, (c + k2) | 0)
}

const totalOf = (values: ArrayLike<number>): number => {
  let total = 0
  for (let i = 0; i < values.length; i++) total += values[i]!
  return total
}

const correlation = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let total = 0
  for (let i = 0; i < a.length; i++) total += (a[i]! - 0.5) * (b[i]! - 0.5)
  return (total * 12) / a.length
}

/** Σ (observed − expected)² / expected over `bins` equally likely bins. */
const chiSquare = (binOf: (i: number) => number, bins: number, size: number): number => {
  const observed = new Float64Array(bins)
  for (let i = 0; i < size; i++) observed[binOf(i)] = observed[binOf(i)]! + 1
  return observed.reduce((total, n) => total + (n - size / bins) ** 2 / (size / bins), 0)
}

/** χ² with k degrees of freedom has mean k and variance 2k. */
const expectUniform = (chi: number, bins: number) => {
  expect(Math.abs(chi - (bins - 1)) / Math.sqrt(2 * (bins - 1))).toBeLessThan(5)
}

const seeds = [0, 1, -1, 2_147_483_647]

describe("randomBits", () => {
  it("follows the definition", () => {
    for (const seed of seeds) {
      const values = bits(seed, 5, 100)
      expect(Array.from(values)).toEqual(Array.from(values, (_, i) => byHand(seed, 5, i)))
    }
  })

  it("does not depend on the shape", () => {
    const flat = bits(9, 2, 24)
    const shaped = Reference.evaluate([randomBits(integers([9], []), [2, 3, 4], { stream: 2 })], new Map())[0]!
    expect(shaped.shape).toEqual([2, 3, 4])
    expect(Array.from(shaped.data)).toEqual(Array.from(flat))
    expect(Array.from(bits(9, 2, 100).subarray(0, 24))).toEqual(Array.from(flat))
  })

  it("refuses a seed that is not an int32 scalar", () => {
    expect(() => randomBits(scalar(1), [2], { stream: 0 })).toThrow(
      "randomStream(float32[]): the seed must be an int32 scalar, or one of seedOfPart"
    )
  })

  it("sets each of the upper 16 bits half of the time", () => {
    for (const seed of seeds) {
      const values = bits(seed, 0)
      for (let bit = 16; bit < 32; bit++) {
        const set = totalOf(Array.from(values, (value) => (value >>> bit) & 1))
        expect(Math.abs(set / count - 0.5), `bit ${bit} of seed ${seed}`).toBeLessThan(5 * 0.5 * count ** -0.5)
      }
    }
  })
})

describe("uniform", () => {
  it("has mean 1/2 and variance 1/12", () => {
    for (const seed of seeds) {
      const values = numbers(seed, 0)
      const mean = totalOf(values) / count
      expect(Math.abs(mean - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / count))
      // The variance of (u − ½)² is 1/80 − 1/144 = 1/180.
      expect(Math.abs(correlation(values, values) / 12 - 1 / 12)).toBeLessThan(5 * Math.sqrt(1 / 180 / count))
    }
  })

  it("stays inside (0, 1), also when rounded to float32", () => {
    const values = Float32Array.from([...seeds, 7, 8].flatMap((seed) => Array.from(numbers(seed, 1))))
    expect(values.reduce((a, b) => Math.min(a, b))).toBeGreaterThan(0)
    expect(values.reduce((a, b) => Math.max(a, b))).toBeLessThan(1)
  })

  it("fills 256 bins evenly, alone and with its neighbour, the next row, the next seed and the next stream", () => {
    for (const seed of seeds) {
      const values = numbers(seed, 3)
      expectUniform(
        chiSquare((i) => Math.floor(values[i]! * 256), 256, count),
        256
      )
      const next = (other: ArrayLike<number>, from: number, size: number) =>
        chiSquare((i) => Math.floor(values[i]! * 16) * 16 + Math.floor(other[i + from]! * 16), 256, size)
      for (const lag of [1, 2, 64, 192, 256, 4096]) expectUniform(next(values, lag, count - lag), 256)
      expectUniform(next(numbers((seed + 1) | 0, 3), 0, count), 256)
      expectUniform(next(numbers(seed, 4), 0, count), 256)
    }
  })

  it("does not correlate with its neighbours, the next seeds or the next streams", () => {
    const bound = 5 * count ** -0.5
    for (const seed of seeds) {
      const values = numbers(seed, 0)
      for (const lag of [1, 2, 3, 16, 128, 256, 384, 1024, 16_384]) {
        const size = count - lag
        const r = correlation(values.subarray(0, size), values.subarray(lag))
        expect(Math.abs(r), `lag ${lag} of seed ${seed}`).toBeLessThan(5 * size ** -0.5)
      }
      for (const step of [1, 2, 3, 4, 5]) {
        expect(Math.abs(correlation(values, numbers((seed + step) | 0, 0))), `seed + ${step}`).toBeLessThan(bound)
        expect(Math.abs(correlation(values, numbers(seed, step))), `stream ${step}`).toBeLessThan(bound)
      }
    }
  })

  it("distributes the first elements of consecutive seeds and streams evenly", () => {
    const size = 2048
    const bySeed = Array.from({ length: size }, (_, seed) => byHand(seed, 0, 0) / 2 ** 32 + 0.5)
    const byStream = Array.from({ length: size }, (_, stream) => byHand(1, stream, 0) / 2 ** 32 + 0.5)
    for (const values of [bySeed, byStream]) {
      expectUniform(
        chiSquare((i) => Math.floor(values[i]! * 64), 64, size),
        64
      )
      expect(Math.abs(correlation(values.slice(1), values.slice(0, -1)))).toBeLessThan(5 * size ** -0.5)
    }
  })

  it.scoped("gives the same bits on ONNX Runtime", () =>
    Effect.gen(function* () {
      const program = yield* Program.make({
        name: "random",
        state: {},
        inputs: { seed: { dtype: "int32", shape: [] } },
        build: (_, { seed }) => ({
          outputs: {
            bits: randomBits(seed!, [300, 7], { stream: 1 }),
            uniform: uniform(seed!, [300, 7], { stream: 2 }),
            part: randomBits(seedOfPart(seed!, 2), [100, 7], { stream: 1 })
          }
        })
      })
      const executable = yield* (yield* Backend).compile({ program })
      for (const seed of seeds) {
        const inputs = { seed: { dtype: "int32", shape: [], data: Int32Array.of(seed) } } as const
        const actual = yield* executable.run("program", inputs)
        const expected = Reference.run(program, {}, inputs).outputs
        expect(actual.bits!.data).toEqual(expected.bits!.data)
        expect(actual.part!.data).toEqual(actual.bits!.data.subarray(1400))
        actual.uniform!.data.forEach((value, i) => {
          expect(Math.abs(value - expected.uniform!.data[i]!)).toBeLessThan(1e-7)
        })
      }
    }).pipe(Effect.provide(OnnxBackend.layer({ device: "cpu", threads: 2 })))
  )
})

/** Dropout: a mask that is a function of seed and stream, with the stated rate (binomial bounds at five deviations). */
const numbersOf = (tensor: Tensor) => Array.from(Reference.evaluate([tensor], new Map())[0]!.data)
const [T, C] = [64, 100]
const ones = constant({ dtype: "float32", shape: [T, C], data: new Float32Array(T * C).fill(1) })
const mask = (seed: number, stream: number, rate = 0.2) =>
  numbersOf(dropout(ones, integers([seed], []), { rate, stream }))

describe("seedOfPart", () => {
  it("continues the numbers of the parts before it", () => {
    const part = (index: number) =>
      Reference.evaluate([randomBits(seedOfPart(integers([9], []), index), [2, 5], { stream: 2 })], new Map())[0]!
    const whole = Array.from(bits(9, 2, 40))
    for (const index of [0, 1, 3]) {
      expect(Array.from(part(index).data)).toEqual(whole.slice(10 * index, 10 * index + 10))
    }
  })
})

describe("masks of micro-batches", () => {
  it("have the stated mean and are not correlated, for all pairs of parts, streams and neighbouring seeds", () => {
    const size = 8192
    const cases = [7, 8].flatMap((seed) =>
      [0, 1].flatMap((stream) => [0, 1, 2, 3].map((part) => ({ seed, stream, part })))
    )
    const ones = constant({ dtype: "float32", shape: [size], data: new Float32Array(size).fill(1) })
    const masks = cases.map(({ part, seed, stream }) => {
      const y = dropout(ones, seedOfPart(integers([seed], []), part), { rate: 0.25, stream })
      return Float64Array.from(Reference.evaluate([y], new Map())[0]!.data, (value) => (value === 0 ? -0.75 : 0.25))
    })
    // Variance of one element 3/16, of a product of two (3/16)²; five standard deviations.
    const deviation = Math.sqrt(size) * (3 / 16)
    masks.forEach((mask, i) => {
      expect(Math.abs(totalOf(mask))).toBeLessThan(5 * Math.sqrt((size * 3) / 16))
      for (const other of masks.slice(0, i)) {
        expect(Math.abs(totalOf(mask.map((value, k) => value * other[k]!)))).toBeLessThan(5 * deviation)
      }
    })
  })
})

describe("a stream", () => {
  const faultOf = (build: (seed: Tensor) => ReadonlyArray<Tensor>) =>
    Effect.runSync(
      Effect.flip(
        Program.make({
          name: "twice",
          state: {},
          inputs: { seed: { dtype: "int32", shape: [] } },
          build: (_, { seed }) => ({ outputs: Object.fromEntries(build(seed!).map((tensor, i) => [`${i}`, tensor])) })
        })
      )
    ).message
  const message =
    'Program "twice": random stream 4 is used twice with one seed, which gives the same numbers twice: give each use its own stream'

  it("that is used twice with one seed is refused, whatever it is used for", () => {
    const x = constant({ dtype: "float32", shape: [3], data: Float32Array.of(1, 2, 3) })
    expect(faultOf((seed) => [4, 4].map((stream) => dropout(x, seed, { rate: 0.5, stream })))).toBe(message)
    expect(
      faultOf((seed) => {
        const part = seedOfPart(seed, 1)
        return [uniform(part, [2], { stream: 4 }), randomBits(part, [5], { stream: 4 })]
      })
    ).toBe(message)
  })

  it("may be used with another seed, for another part, and its numbers as often as they are needed", () => {
    const once = Program.make({
      name: "once",
      state: {},
      inputs: { seed: { dtype: "int32", shape: [] } },
      build: (_, { seed }) => {
        const x = uniform(seed!, [2], { stream: 4 })
        const parts = [0, 1].map((part) => uniform(seedOfPart(seed!, part), [2], { stream: 4 }))
        return { outputs: { x, sum: sum(x), first: parts[0]!, second: parts[1]! } }
      }
    })
    expect(Effect.runSync(Effect.either(once))._tag).toBe("Right")
  })
})

describe("dropout", () => {
  it("keeps a share of 1 − rate, scaled so that the expected value stays", () => {
    const kept = mask(7, 0).filter((value) => value !== 0)
    // Scaled by the float32 nearest 1 / 0.8.
    expect(new Set(kept)).toEqual(new Set([1.25]))
    expect(Math.abs(kept.length / (T * C) - 0.8)).toBeLessThan(5 * Math.sqrt((0.8 * 0.2) / (T * C)))
  })

  it("repeats for the same seed and stream, and changes with either", () => {
    expect(mask(7, 0)).toEqual(mask(7, 0))
    const agreement = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) =>
      a.filter((value, i) => value === b[i]).length / a.length
    // Two independent masks agree with probability 0.8² + 0.2².
    const bound = 5 * Math.sqrt((0.68 * 0.32) / (T * C))
    for (const other of [mask(8, 0), mask(7, 1)]) {
      expect(Math.abs(agreement(mask(7, 0), other) - 0.68)).toBeLessThan(bound)
    }
  })

  it("sends gradients through the numbers it kept", () => {
    const y = dropout(ones, integers([7], []), { rate: 0.2, stream: 0 })
    expect(numbersOf(grad(sum(y), [ones])[0]!)).toEqual(mask(7, 0))
  })

  it("is the identity at rate 0 and refuses rate 1", () => {
    expect(dropout(ones, integers([1], []), { rate: 0, stream: 0 })).toBe(ones)
    expect(() => mask(1, 0, 1)).toThrow("the rate must be at least 0 and below 1, but it is 1")
  })
})
