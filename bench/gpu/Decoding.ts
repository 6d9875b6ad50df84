/** Part 5: tokens per second of generation with the key/value cache, at batch 1, greedy. */
import * as Effect from "effect/Effect"
import * as OnnxBackend from "../../src/services/backend/OnnxBackend.ts"
import { generation } from "../generation.ts"
import { architectureOfSize, quickParameters } from "../TrainingStep.ts"
import type { Job, Options } from "./Job.ts"
import { sizesOf } from "./Speed.ts"

/** One job for each size. */
export const jobs = (options: Options): ReadonlyArray<Job> =>
  sizesOf(options).map((size, i) => ({
    name: `generation with ${size.label}`,
    weight: i === 0 ? 4 : 8,
    run: ({ device }, report) =>
      Effect.gen(function* () {
        const parameters = quickParameters(architectureOfSize(size).parameters)
        const { size: label, tokens, tokens_per_second } = yield* generation(size, { parameters, compare: false })
        yield* report("generation", { size: label, tokens, tokens_per_second })
      }).pipe(Effect.provide(OnnxBackend.layer({ device })))
  }))
