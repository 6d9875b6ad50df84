/**
 * The ranges of numbers, and that every number of a config is in one: each number field of every schema of a config and of a
 * plugin is found in the schema itself. Oracles: the limits of float32 and int32. Needs nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import { RunConfig } from "../../src/core/config/RunConfig.ts"
import * as Numbers from "../../src/core/Numbers.ts"
import { builtins } from "../../src/plugins/builtins.ts"

const notFinite = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]

const ranges = {
  Count: [Numbers.Count, [1, 2 ** 31 - 1], [0, -1, 1.5, 2 ** 31]],
  CountOrZero: [Numbers.CountOrZero, [0, 2 ** 31 - 1], [-1, 0.5, 1e10]],
  Threads: [Numbers.Threads, [1, 256], [0, -1, 1.5, 257]],
  Positive: [Numbers.Positive, [1e-37, 1, 1e38], [0, -1, 1e-46, 1e39]],
  NonNegative: [Numbers.NonNegative, [0, 1e38], [-1e-9, 1e39]],
  Share: [Numbers.Share, [0, 1], [-0.1, 1.0001]],
  Decay: [Numbers.Decay, [0, 0.999], [1, 1.5, -0.1]],
  Seed: [Numbers.Seed, [0, 2 ** 32 - 1], [-1, 2 ** 32, 2 ** 53, 0.5]]
} as const

describe.each(Object.entries(ranges))("%s", (_, [schema, inside, outside]) => {
  it("has its limits, and neither NaN nor infinity", () => {
    for (const value of inside) expect(Schema.is(schema)(value), String(value)).toBe(true)
    for (const value of [...outside, ...notFinite]) expect(Schema.is(schema)(value), String(value)).toBe(false)
  })
})

it("Positive and NonNegative stay what they are as float32", () => {
  FastCheck.assert(
    FastCheck.property(FastCheck.double({ min: 1e-37, max: 1e38, noNaN: true }), (value) => {
      const single = Math.fround(value)
      expect(Number.isFinite(single) && single > 0).toBe(true)
      expect(Math.abs(single / value - 1)).toBeLessThan(1e-6)
    })
  )
})

/** The schemas of all numbers inside a schema, with their paths. */
const numbersOf = (
  ast: AST.AST,
  path: string,
  outer: AST.AST = ast
): ReadonlyArray<{ readonly path: string; readonly ast: AST.AST }> => {
  switch (ast._tag) {
    case "NumberKeyword":
      return [{ path, ast: outer }]
    case "Refinement":
      return numbersOf(ast.from, path, AST.isRefinement(outer) ? outer : ast)
    case "Transformation":
      return numbersOf(ast.from, path)
    case "Union":
      return ast.types.flatMap((member) => numbersOf(member, path))
    case "TupleType":
      return [...ast.elements, ...ast.rest].flatMap(({ type }) => numbersOf(type, path))
    case "TypeLiteral":
      return ast.propertySignatures.flatMap(({ name, type }) => numbersOf(type, `${path}.${String(name)}`))
    default:
      return []
  }
}

describe("every number of a config", () => {
  const schemas = [
    { key: "config", ast: RunConfig.ast },
    ...builtins.members.map(({ plugin }) => ({ key: plugin.key, ast: plugin.config.ast }))
  ]
  const numbers = schemas.flatMap(({ ast, key }) => numbersOf(ast, key))

  it("is found", () => {
    const paths = numbers.map(({ path }) => path)
    expect(paths).toEqual(
      expect.arrayContaining([
        "config.training.lr",
        "config.training.max_grad_norm",
        "config.generation.temperature",
        "config.backend.threads",
        "dataset/text.validation.fraction",
        "model/decoder.rope_theta",
        "tokenizer-trainer/bpe.vocab_size"
      ])
    )
  })

  it.each(numbers)("$path is finite", ({ ast }) => {
    for (const value of notFinite) expect(Schema.is(Schema.make(ast))(value)).toBe(false)
  })
})

describe("decodeOptions", () => {
  it.effect("names each faulty option and who was called", () =>
    Effect.gen(function* () {
      const schema = Schema.Struct({ steps: Numbers.Count, patience: Schema.optional(Numbers.Count) })
      const error = yield* Effect.flip(Numbers.decodeOptions("earlyStop", schema, { steps: 0, patience: 1 / 0 }))
      expect(error.message.split("\n")).toEqual([
        "earlyStop: steps: expected an integer ≥ 1 and ≤ 2147483647, got 0",
        "earlyStop: patience: expected an integer ≥ 1 and ≤ 2147483647, got Infinity"
      ])
    })
  )
})
