/**
 * The messages of wrong shapes: the operator, every input's type, and the rule. Oracle: the sentences, written by hand.
 * Needs nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import { gelu } from "../../../src/core/tensor/ops/activation.ts"
import { broadcastTo, reshape, sum } from "../../../src/core/tensor/ops/broadcast.ts"
import { and, less, not, where } from "../../../src/core/tensor/ops/compare.ts"
import { add, exp } from "../../../src/core/tensor/ops/elementwise.ts"
import { max, mean, sumSquares } from "../../../src/core/tensor/ops/reduce.ts"
import { concat, pad, slice, split, transpose } from "../../../src/core/tensor/ops/shape.ts"
import { type DType, input, ShapeError } from "../../../src/core/tensor/Tensor.ts"

const tensor = (dtype: DType, ...shape: ReadonlyArray<number>) => input("x", dtype, shape)
const float = (...shape: ReadonlyArray<number>) => tensor("float32", ...shape)
const int = (...shape: ReadonlyArray<number>) => tensor("int32", ...shape)
const bool = (...shape: ReadonlyArray<number>) => tensor("bool", ...shape)

const cases: ReadonlyArray<readonly [wrong: () => unknown, message: string]> = [
  [
    () => add(float(2, 3), float(4, 3)),
    "add(float32[2, 3], float32[4, 3]): sizes 2 and 4 of axis -2 must be equal, or one of them 1"
  ],
  [() => add(float(2), int(2)), "add(float32[2], int32[2]): both must have the same type: cast one of them"],
  [() => add(bool(2), bool(2)), "add(bool[2], bool[2]): takes float32 or int32"],
  [() => exp(int(2)), "exp(int32[2]): takes float32: cast it first"],
  [() => gelu(int(2)), "gelu(int32[2]): takes float32: cast it first"],
  [
    () => less(float(2), float(3)),
    "less(float32[2], float32[3]): sizes 2 and 3 of axis -1 must be equal, or one of them 1"
  ],
  [() => and(int(2), int(2)), "and(int32[2], int32[2]): takes bool"],
  [() => not(int(2)), "not(int32[2]): takes bool"],
  [() => where(int(2), int(2), int(2)), "where(int32[2], int32[2], int32[2]): the condition must be bool"],
  [
    () => where(bool(3), int(2), int(2)),
    "where(bool[3], int32[2], int32[2]): sizes 3 and 2 of axis -1 must be equal, or one of them 1"
  ],
  [() => sum(bool(2)), "sum(bool[2]): takes float32 or int32: cast it first"],
  [() => sum(float(2, 3), { axes: [2] }), "sum(float32[2, 3]): there is no axis 2"],
  [() => mean(float(2, 3), { axes: [-3] }), "mean(float32[2, 3]): there is no axis -3"],
  [() => mean(int(2)), "mean(int32[2]): takes float32: cast it first"],
  [() => mean(float(0)), "mean(float32[0]): has no elements to take the mean of"],
  [() => max(float(0)), "max(float32[0]): has no elements to take the largest of"],
  [() => max(bool(1)), "max(bool[1]): takes float32 or int32: cast it first"],
  [() => sumSquares(int(2)), "sumSquares(int32[2]): takes float32: cast it first"],
  [() => reshape(float(2, 3), [4]), "reshape(float32[2, 3]): 6 elements do not fill [4], which has 4"],
  [
    () => reshape(float(2, 3), [-1, 4]),
    "reshape(float32[2, 3]): 6 elements do not fill [-1, 4]: no size fits in the place of -1"
  ],
  [
    () => broadcastTo(float(2), [3]),
    "broadcastTo(float32[2]): cannot broadcast to [3]: sizes 2 and 3 of axis -1 must be equal, or one of them 1"
  ],
  [() => broadcastTo(float(2, 1), [1, 3]), "broadcastTo(float32[2, 1]): cannot broadcast to [1, 3], which is smaller"],
  [() => transpose(float(2, 3), [0, 0]), "transpose(float32[2, 3]): [0, 0] is not a permutation of its 2 axes"],
  [() => transpose(float(2, 3), [0]), "transpose(float32[2, 3]): [0] is not a permutation of its 2 axes"],
  [() => slice(float(2, 3), 1, 1, 4), "slice(float32[2, 3]): [1, 4) is not within axis 1, which has size 3"],
  [() => slice(float(2, 3), 2, 0, 1), "slice(float32[2, 3]): there is no axis 2"],
  [() => pad(float(2), 0, -1, 0), "pad(float32[2]): cannot add -1 and 0 zeros"],
  [() => pad(int(2), 0, 1, 0), "pad(int32[2]): takes float32"],
  [
    () => concat([float(2, 3), float(3, 3)], 1),
    "concat(float32[2, 3], float32[3, 3]): sizes may differ along axis 1 only"
  ],
  [() => concat([float(2), int(2)], 0), "concat(float32[2], int32[2]): all must have the same type"],
  [() => concat([], 0), "concat(): there is no axis 0"],
  [() => split(float(6), [2, 3], 0), "split(float32[6]): [2, 3] has the sum 5, and axis 0 has size 6"]
]

describe("ShapeError", () => {
  for (const [wrong, message] of cases) {
    it(message, () => {
      expect(wrong).toThrow(ShapeError)
      // The whole text: `toThrow` alone would accept a part of it.
      expect(wrong).toThrow(new RegExp(`^${message.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`))
    })
  }
})
