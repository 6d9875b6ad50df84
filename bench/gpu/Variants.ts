/**
 * The settings that part 3 of bench/gpu.ts compares, by taking turns: all of them, or those of `--variant base,flat`.
 *
 * To add one, add an entry here. What is measured at only one setting (batch sizes, the profile, memory) uses the first
 * that is named.
 */
import { flatten, type GradientTransformation } from "../../src/core/tensor/Optimizer.ts"
import type * as OnnxBackend from "../../src/services/backend/OnnxBackend.ts"

/** How a training step differs from the default. */
export interface Variant {
  /** One sentence for the help. */
  readonly description: string
  /** Options of the backend, beside the device. */
  readonly backend?: Omit<OnnxBackend.Options, "device" | "profile">
  /** From AdamW with clipping to the optimizer of the step. Default: as it is. */
  readonly optimizer?: (adamw: GradientTransformation) => GradientTransformation
  /** Loss and gradient norm leave the device after each n-th step. Default: 1. The last step that is timed always fetches them. */
  readonly fetchEvery?: number
}

/** All variants, by name. */
export const variants: { readonly [name: string]: Variant } = {
  base: { description: "as `codex train` runs a step" },
  float16: { description: "matrix products in half precision", backend: { precision: "float16" } },
  flat: {
    description: "one pass of AdamW over a few concatenated vectors instead of over each parameter",
    optimizer: (adamw) => flatten(adamw)
  },
  "float16-flat": {
    description: "both: the optimizer is a larger share of a step whose products are faster",
    backend: { precision: "float16" },
    optimizer: (adamw) => flatten(adamw)
  },
  "scalars-16": { description: "loss and gradient norm leave the device after every 16th step only", fetchEvery: 16 }
}
