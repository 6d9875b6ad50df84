/**
 * Numbers with a type and a shape, and where each of them is: no graph, no operators.
 *
 * Elements are in row-major order. Broadcast, transpose, slice and reduction are one idea to the reference: element i of one
 * array corresponds to `offsets[i]` of another. Reading through the offsets copies, adding through them reduces.
 * Broadcasting is NumPy's: axes are aligned at the end, and a size of 1 repeats.
 */

/** The types that tensors can have. Indices and random bits are int32, masks bool, everything else float32. */
export type DType = "float32" | "int32" | "bool"

/** Sizes of the axes, outermost first. `[]` is a scalar. */
export type Shape = ReadonlyArray<number>

/** What is known of a tensor before it is computed. */
export interface TensorType {
  readonly dtype: DType
  readonly shape: Shape
}

/** Numbers in row-major order. `float32` may be held as float64 by the reference backend; `bool` is one byte, 0 or 1. */
export interface TensorData extends TensorType {
  readonly data: Float32Array | Float64Array | Int32Array | Uint8Array
}

/** Numbers of the reference evaluation: float64 for every float type. */
export interface NdArray extends TensorType {
  readonly data: Float64Array | Int32Array | Uint8Array
}

/** `float32[8, 128]` */
export const show = (type: TensorType): string => `${type.dtype}[${type.shape.join(", ")}]`

/** The number of elements. */
export const sizeOf = (shape: Shape): number => shape.reduce((product, size) => product * size, 1)

/** Whether two shapes have the same axes. */
export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((size, i) => size === b[i])

/** An array of zeros, to be filled by an operator's reference. */
export const empty = (dtype: DType, shape: Shape): NdArray => {
  const length = sizeOf(shape)
  const data =
    dtype === "float32" ? new Float64Array(length) : dtype === "int32" ? new Int32Array(length) : new Uint8Array(length)
  return { dtype, shape, data }
}

/** Elements to the next index of each axis. */
export const stridesOf = (shape: Shape): ReadonlyArray<number> => {
  const strides = new Array<number>(shape.length).fill(1)
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!
  return strides
}

/** The common shape, or a sentence that says which two sizes do not fit. */
export const broadcastShapes = (a: Shape, b: Shape): Shape | string => {
  const rank = Math.max(a.length, b.length)
  const shape: Array<number> = []
  for (let axis = 0; axis < rank; axis++) {
    // A missing leading axis counts as 1.
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

/** Strides that sum an array of `shape` into what is left without `axes`: 0 along those. */
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

/** The axis counted from the front, where a negative one counts from the end; `undefined` if it does not exist. */
export const axisOf = (axis: number, rank: number): number | undefined => {
  const positive = axis < 0 ? axis + rank : axis
  return Number.isInteger(axis) && positive >= 0 && positive < rank ? positive : undefined
}
