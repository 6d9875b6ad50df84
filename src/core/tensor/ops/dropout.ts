/**
 * Dropout from an explicit seed: the same seed and stream give the same mask, on every device.
 *
 * A composition, not an operator: the mask comes from `uniform` (see random.ts), and since equal sub-expressions become one
 * node, backward multiplies by the very mask that forward made.
 */
import { ShapeError, scalar, show, type Tensor } from "../Tensor.ts"
import { lessOrEqual, where } from "./compare.ts"
import { mul } from "./elementwise.ts"
import { uniform } from "./random.ts"

export interface DropoutOptions {
  /** Share of the numbers that become 0: 0 ≤ rate < 1. */
  readonly rate: number
  /** Which of the seed's sequences to use; each use in a model takes its own. */
  readonly stream: number
}

/** x where a uniform number is at least `rate`, divided by 1 − rate; 0 elsewhere. `seed` is an int32 scalar tensor. */
export const dropout = (x: Tensor, seed: Tensor, { rate, stream }: DropoutOptions): Tensor => {
  if (!(rate >= 0 && rate < 1)) {
    throw new ShapeError({
      operator: "dropout",
      inputs: [show(x), show(seed)],
      rule: `the rate must be at least 0 and below 1, it is ${rate}`
    })
  }
  if (rate === 0) return x
  const kept = lessOrEqual(scalar(rate), uniform(seed, x.shape, { stream }))
  return mul(x, where(kept, scalar(1 / (1 - rate)), scalar(0)))
}
