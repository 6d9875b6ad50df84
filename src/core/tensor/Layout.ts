/**
 * Where the elements of a tensor lie: row-major strides, broadcasting, and offsets through a view.
 *
 * Broadcast, transpose, slice and reduction are one idea to the reference: element i of one array corresponds to
 * `offsets[i]` of another. Reading through the offsets copies, adding through them reduces.
 * Broadcasting is NumPy's: axes are aligned at the end, and a size of 1 repeats.
 */
import { type Shape, sizeOf } from "./Tensor.ts"

export const stridesOf = (shape: Shape): ReadonlyArray<number> => {
  const strides = new Array<number>(shape.length).fill(1)
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!
  return strides
}

/** The common shape, or the rule that two sizes break. */
export const broadcastShapes = (a: Shape, b: Shape): Shape | string => {
  const rank = Math.max(a.length, b.length)
  const shape: Array<number> = []
  for (let axis = 0; axis < rank; axis++) {
    const left = a[axis - rank + a.length] ?? 1
    const right = b[axis - rank + b.length] ?? 1
    if (left !== right && left !== 1 && right !== 1) {
      return `sizes ${left} and ${right} of axis ${axis - rank} must be equal, or one of them 1`
    }
    shape.push(left === 1 ? right : left)
  }
  return shape
}

/** Strides that read an array of `shape` as if it had shape `to`: 0 along repeated axes. */
export const broadcastStrides = (shape: Shape, to: Shape): ReadonlyArray<number> => {
  const strides = stridesOf(shape)
  return to.map((_, axis) => {
    const own = axis - to.length + shape.length
    return own < 0 || shape[own] === 1 ? 0 : strides[own]!
  })
}

/** Strides that add an array of `shape` up into what is left when `axes` are summed away: 0 along those. */
export const reducedStrides = (shape: Shape, axes: ReadonlyArray<number>): ReadonlyArray<number> => {
  const kept = stridesOf(shape.map((size, axis) => (axes.includes(axis) ? 1 : size)))
  return kept.map((stride, axis) => (axes.includes(axis) ? 0 : stride))
}

/** For each element of `shape`, in row-major order: `start` + Σ index·stride. */
export const offsets = (shape: Shape, strides: ReadonlyArray<number>, start = 0): Int32Array => {
  const result = new Int32Array(sizeOf(shape))
  const index = new Array<number>(shape.length).fill(0)
  let offset = start
  for (let i = 0; i < result.length; i++) {
    result[i] = offset
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = index[axis]! + 1
      offset += strides[axis]!
      if (index[axis]! < shape[axis]!) break
      offset -= strides[axis]! * shape[axis]!
      index[axis] = 0
    }
  }
  return result
}

/** Axis numbers counted from the end become positive; `undefined` where the axis does not exist. */
export const axisOf = (axis: number, rank: number): number | undefined => {
  const positive = axis < 0 ? axis + rank : axis
  return Number.isInteger(axis) && positive >= 0 && positive < rank ? positive : undefined
}
