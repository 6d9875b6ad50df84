/** The parts of bench/gpu.ts, in their order, and the jobs that each consists of. */
import * as Correctness from "./Correctness.ts"
import * as Decoding from "./Decoding.ts"
import * as Device from "./Device.ts"
import type { Job, Options } from "./Job.ts"
import * as Memory from "./Memory.ts"
import * as Pytorch from "./Pytorch.ts"
import * as Speed from "./Speed.ts"

/** A part of the bench. */
export interface Part {
  readonly number: number
  readonly name: string
  readonly jobs: (options: Options) => ReadonlyArray<Job>
}

/** Numbered as in the JSON document. */
export const parts: ReadonlyArray<Part> = [
  { number: 1, name: "device", jobs: Device.jobs },
  { number: 2, name: "correctness", jobs: () => Correctness.jobs },
  { number: 3, name: "speed", jobs: Speed.jobs },
  { number: 4, name: "PyTorch", jobs: Pytorch.jobs },
  { number: 5, name: "generation", jobs: Decoding.jobs },
  { number: 6, name: "memory", jobs: () => Memory.jobs }
]

/** The job of a name, which the parent took from `parts`. */
export const jobNamed = (options: Options, name: string): Job =>
  parts.flatMap(({ jobs }) => jobs(options)).find((job) => job.name === name)!
