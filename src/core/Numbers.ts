/**
 * The ranges of the numbers that people give, as schemas: configs, options of commands and options in code share them.
 *
 * None accepts NaN or infinity, which JSON cannot hold: `.inf` in YAML and 1e400 on a command line are refused where they are
 * read. Rates and factors become float32, so their limits are those of a normal float32, rounded to a power of ten.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ConfigError, ConfigIssue, fromParseError } from "./config/ConfigIssue.ts"

const largest = 1e38
const smallest = 1e-37
const largestCount = 2 ** 31 - 1

/** How many of something, at least one. At most 2³¹ − 1: sizes of tensors and positions in them are int32. */
export const Count = Schema.Int.pipe(Schema.between(1, largestCount))

/** How many of something; 0 has a meaning of its own. */
export const CountOrZero = Schema.Int.pipe(Schema.between(0, largestCount))

/**
 * Threads of one operator. ONNX Runtime starts all of them at once, for each Program: with tens of thousands of them it does not
 * return, and the process does not end.
 */
export const Threads = Schema.Int.pipe(Schema.between(1, 256))

/** A factor or rate above 0 that is a normal float32. */
export const Positive = Schema.Number.pipe(Schema.between(smallest, largest))

/** A factor or rate, possibly 0. */
export const NonNegative = Schema.Number.pipe(Schema.between(0, largest))

/** A fraction, 0 and 1 included. */
export const Share = Schema.Number.pipe(Schema.between(0, 1))

/** The decay rate of a mean over time: with 1, the mean would never change. */
export const Decay = Schema.Number.pipe(Schema.greaterThanOrEqualTo(0), Schema.lessThan(1))

/** A seed. All generators use 32 bits, so a larger number would give the same results as a smaller one. */
export const Seed = Schema.Int.pipe(Schema.between(0, 2 ** 32 - 1))

/**
 * Decodes options that were given in code. The error names each faulty one: `run.generate: temperature: expected …`.
 *
 * @example
 * yield* Numbers.decodeOptions("run.generate", Schema.Struct({ temperature: Numbers.NonNegative }), { temperature: 1 / 0 })
 */
export const decodeOptions = <A, I>(
  origin: string,
  schema: Schema.Schema<A, I>,
  options: I
): Effect.Effect<A, ConfigError> =>
  Effect.mapError(
    Schema.decode(schema, { errors: "all" })(options),
    (error) => new ConfigError({ issues: fromParseError(error).map((issue) => new ConfigIssue({ ...issue, origin })) })
  )
