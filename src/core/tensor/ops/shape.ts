/**
 * Slices, padding, concatenation, splitting, transposition: elements are moved, not changed.
 *
 * Their gradients are of the same kind: padding for a slice, a split for a concatenation, and the other way round.
 */
import * as Arr from "effect/Array"
import type { OnnxEmitter } from "../OnnxGraph.ts"
import { type AnyOperator, apply, applyAll, make, type Pick } from "../Operator.ts"
import { type DType, type NdArray, type Shape, ShapeError, show, type Tensor, type TensorType } from "../Tensor.ts"
import { axisOf, empty, offsets, stridesOf } from "../TensorData.ts"
import { zerosOf } from "./compare.ts"

const resize = (shape: Shape, axis: number, size: number): Shape => shape.map((own, at) => (at === axis ? size : own))

/** The axis counted from the front, as attributes have it. */
const foundAxis = (operator: string, inputs: ReadonlyArray<Tensor>, axis: number): number => {
  const [first] = inputs
  const found = first === undefined ? undefined : axisOf(axis, first.shape.length)
  if (found === undefined)
    throw new ShapeError({ operator, inputs: inputs.map(show), rule: `there is no axis ${axis}` })
  return found
}

/** Copies `x` into `y`, whose first element along `axis` is `start`. */
const place = (y: NdArray, x: NdArray, axis: number, start: number) => {
  const strides = stridesOf(y.shape)
  const to = offsets(x.shape, strides, start * strides[axis]!)
  for (let i = 0; i < to.length; i++) y.data[to[i]!] = x.data[i]!
}

/** The part of `x` along `axis` that starts at `start` and has the sizes of `type`. */
const take = (x: NdArray, type: TensorType, axis: number, start: number): NdArray => {
  const y = empty(type.dtype, type.shape)
  const strides = stridesOf(x.shape)
  const from = offsets(type.shape, strides, start * strides[axis]!)
  for (let i = 0; i < from.length; i++) y.data[i] = x.data[from[i]!]!
  return y
}

const sampleShape = (pick: Pick): readonly [number, number, number] => [pick.int(1, 4), pick.int(1, 4), pick.int(1, 4)]

const matrix = (rows: number, columns: number, values: ReadonlyArray<number>) =>
  ({ dtype: "int32", shape: [rows, columns], data: Int32Array.from(values) }) as const

const transposeOperator = make<{ readonly permutation: ReadonlyArray<number> }>({
  name: "transpose",
  shape: ([x], { permutation }, broken) => {
    const sorted = [...permutation].sort((a, b) => a - b)
    if (sorted.length !== x!.shape.length || sorted.some((axis, i) => axis !== i)) {
      broken(`[${permutation.join(", ")}] is not a permutation of its ${x!.shape.length} axes`)
    }
    return [{ dtype: x!.dtype, shape: permutation.map((axis) => x!.shape[axis]!) }]
  },
  reference: ([x], { permutation }, [type]) => {
    const y = empty(type!.dtype, type!.shape)
    const strides = stridesOf(x!.shape)
    const from = offsets(
      type!.shape,
      permutation.map((axis) => strides[axis]!)
    )
    for (let i = 0; i < from.length; i++) y.data[i] = x!.data[from[i]!]!
    return [y]
  },
  gradient: ({ attributes: { permutation }, gradients: [dy] }) => [
    dy === undefined
      ? undefined
      : transpose(
          dy,
          permutation.map((_, axis) => permutation.indexOf(axis))
        )
  ],
  onnx: { default: (emit, inputs, { permutation }) => [emit.node("Transpose", inputs, { perm: permutation })] },
  sample: (pick) => ({
    inputs: [{ dtype: pick.of<DType>(["float32", "int32"]), shape: sampleShape(pick) }],
    attributes: {
      permutation: pick.of<ReadonlyArray<number>>([
        [0, 2, 1],
        [2, 0, 1],
        [1, 2, 0],
        [2, 1, 0]
      ])
    }
  }),
  points: [
    { inputs: [matrix(2, 3, [1, 2, 3, 4, 5, 6])], attributes: { permutation: [1, 0] }, outputs: [[1, 4, 2, 5, 3, 6]] }
  ]
})

/** Axis i of the result is axis permutation[i] of x. Raises `ShapeError`. */
export const transpose = (x: Tensor, permutation: ReadonlyArray<number>): Tensor =>
  permutation.length === x.shape.length && permutation.every((axis, i) => axis === i)
    ? x
    : apply(transposeOperator, [x], { permutation })

const sliceOperator = make<{ readonly axis: number; readonly start: number; readonly end: number }>({
  name: "slice",
  shape: ([x], { axis, end, start }, broken) => {
    const size = x!.shape[axis]!
    if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0 || end > size || start > end) {
      broken(`[${start}, ${end}) is not within axis ${axis}, which has size ${size}`)
    }
    return [{ dtype: x!.dtype, shape: resize(x!.shape, axis, end - start) }]
  },
  reference: ([x], { axis, start }, [type]) => [take(x!, type!, axis, start)],
  gradient: ({ attributes: { axis, end, start }, gradients: [dy], inputs: [x] }) => [
    dy === undefined || dy.dtype !== "float32" ? undefined : pad(dy, axis, start, x!.shape[axis]! - end)
  ],
  onnx: {
    default: (emit, [x], { axis, end, start }) => [
      emit.node("Slice", [x!, emit.int64([start]), emit.int64([end]), emit.int64([axis])])
    ],
    // The CPU would slice int32: Slice has no kernel for it here, Split has one.
    webgpu: (emit, [x], { axis, end, start }, { inputs: [type] }) => {
      if (type!.dtype !== "int32") {
        return [emit.node("Slice", [x!, emit.int64([start]), emit.int64([end]), emit.int64([axis])])]
      }
      const sizes = [start, end - start, type!.shape[axis]! - end]
      const parts = emit.nodes(sizes.length, "Split", [x!, emit.int64(sizes)], { axis })
      return [parts[1]!]
    }
  },
  sample: (pick) => {
    const shape = sampleShape(pick)
    const axis = pick.of<0 | 1 | 2>([0, 1, 2])
    const start = pick.int(0, shape[axis] - 1)
    return {
      inputs: [{ dtype: pick.of<DType>(["float32", "int32"]), shape }],
      attributes: { axis, start, end: pick.int(start + 1, shape[axis]) }
    }
  },
  points: [
    { inputs: [matrix(2, 3, [1, 2, 3, 4, 5, 6])], attributes: { axis: 1, start: 1, end: 3 }, outputs: [[2, 3, 5, 6]] }
  ]
})

/** Elements `start` up to, not including, `end` along `axis`. Raises `ShapeError`. */
export const slice = (x: Tensor, axis: number, start: number, end: number): Tensor => {
  const found = foundAxis("slice", [x], axis)
  return start === 0 && end === x.shape[found] ? x : apply(sliceOperator, [x], { axis: found, start, end })
}

const padOperator = make<{ readonly axis: number; readonly before: number; readonly after: number }>({
  name: "pad",
  shape: ([x], { after, axis, before }, broken) => {
    if (x!.dtype !== "float32") broken("takes float32")
    if (![before, after].every((count) => Number.isInteger(count) && count >= 0)) {
      broken(`cannot add ${before} and ${after} zeros`)
    }
    return [{ dtype: x!.dtype, shape: resize(x!.shape, axis, x!.shape[axis]! + before + after) }]
  },
  reference: ([x], { axis, before }, [type]) => {
    const y = empty(type!.dtype, type!.shape)
    place(y, x!, axis, before)
    return [y]
  },
  gradient: ({ attributes: { axis, before }, gradients: [dy], inputs: [x] }) => [
    dy === undefined ? undefined : slice(dy, axis, before, before + x!.shape[axis]!)
  ],
  onnx: {
    default: (emit, [x], { after, axis, before }, { inputs }) => {
      const rank = inputs[0]!.shape.length
      const pads = Array.from({ length: 2 * rank }, (_, i) => (i === axis ? before : i === rank + axis ? after : 0))
      return [emit.node("Pad", [x!, emit.int64(pads)])]
    }
  },
  sample: (pick) => ({
    inputs: [{ dtype: "float32", shape: sampleShape(pick) }],
    attributes: { axis: pick.int(0, 2), before: pick.int(0, 2), after: pick.int(0, 2) }
  }),
  points: [
    {
      inputs: [{ dtype: "float32", shape: [1, 2], data: Float32Array.of(1, 2) }],
      attributes: { axis: 0, before: 1, after: 0 },
      outputs: [[0, 0, 1, 2]]
    }
  ]
})

/** x with `before` and `after` zeros around it along `axis`. float32. Raises `ShapeError`. */
export const pad = (x: Tensor, axis: number, before: number, after: number): Tensor =>
  before === 0 && after === 0 ? x : apply(padOperator, [x], { axis: foundAxis("pad", [x], axis), before, after })

const concatOperator = make<{ readonly axis: number }>({
  name: "concat",
  shape: (inputs, { axis }, broken) => {
    const [first, ...others] = inputs
    for (const other of others) {
      if (other.dtype !== first!.dtype) broken("all must have the same type")
      const fits = other.shape.length === first!.shape.length
      if (!fits || other.shape.some((size, at) => at !== axis && size !== first!.shape[at])) {
        broken(`sizes may differ along axis ${axis} only`)
      }
    }
    const total = inputs.reduce((size, input) => size + input.shape[axis]!, 0)
    return [{ dtype: first!.dtype, shape: resize(first!.shape, axis, total) }]
  },
  reference: (inputs, { axis }, [type]) => {
    const y = empty(type!.dtype, type!.shape)
    let start = 0
    for (const input of inputs) {
      place(y, input, axis, start)
      start += input.shape[axis]!
    }
    return [y]
  },
  gradient: ({ attributes: { axis }, gradients: [dy], inputs }) =>
    dy === undefined || dy.dtype !== "float32"
      ? []
      : split(
          dy,
          inputs.map((input) => input.shape[axis]!),
          axis
        ),
  onnx: { default: (emit, inputs, { axis }) => [emit.node("Concat", inputs, { axis })] },
  sample: (pick) => {
    const shape = sampleShape(pick)
    const axis = pick.int(0, 2)
    const dtype = pick.of<DType>(["float32", "int32"])
    const parts = Array.from({ length: pick.int(1, 3) }, () => ({ dtype, shape: resize(shape, axis, pick.int(1, 3)) }))
    return { inputs: parts, attributes: { axis } }
  },
  points: [
    {
      inputs: [matrix(2, 1, [1, 2]), matrix(2, 2, [3, 4, 5, 6])],
      attributes: { axis: 1 },
      outputs: [[1, 3, 4, 2, 5, 6]]
    }
  ]
})

/** Concatenates tensors along `axis`. Raises `ShapeError`. */
export const concat = (xs: ReadonlyArray<Tensor>, axis: number): Tensor => {
  const found = foundAxis("concat", xs, axis)
  return xs.length === 1 ? xs[0]! : apply(concatOperator, xs, { axis: found })
}

/** WebGPU binds a buffer for each output, beside that of the input; every device has eight of them. */
const webgpuOutputs = 7

/**
 * A split of any number of parts as splits of a few: first into stretches of the tensor, then each of them. A slice for each
 * part would copy once instead of once per level, but a model has hundreds of parameters, and launching a kernel costs more.
 */
const splitNested = (
  emit: OnnxEmitter,
  x: string,
  sizes: ReadonlyArray<number>,
  axis: number
): ReadonlyArray<string> => {
  const node = (lengths: ReadonlyArray<number>) =>
    emit.nodes(lengths.length, "Split", [x, emit.int64(lengths)], { axis })
  if (sizes.length <= webgpuOutputs) return node(sizes)
  const levels = Math.ceil(Math.log(sizes.length) / Math.log(webgpuOutputs) - 1e-9)
  const stretches = Arr.chunksOf(sizes, webgpuOutputs ** (levels - 1))
  const parts = node(stretches.map((stretch) => stretch.reduce((sum, size) => sum + size, 0)))
  return stretches.flatMap((stretch, i) =>
    stretch.length === 1 ? [parts[i]!] : splitNested(emit, parts[i]!, stretch, axis)
  )
}

const splitOperator = make<{ readonly axis: number; readonly sizes: ReadonlyArray<number> }>({
  name: "split",
  shape: ([x], { axis, sizes }, broken) => {
    const total = sizes.reduce((sum, size) => sum + size, 0)
    if (total !== x!.shape[axis])
      broken(`[${sizes.join(", ")}] has the sum ${total}, and axis ${axis} has size ${x!.shape[axis]}`)
    return sizes.map((size) => ({ dtype: x!.dtype, shape: resize(x!.shape, axis, size) }))
  },
  reference: ([x], { axis, sizes }, types) => {
    let start = 0
    return types.map((type, i) => {
      const part = take(x!, type, axis, start)
      start += sizes[i]!
      return part
    })
  },
  gradient: ({ attributes: { axis }, gradients, inputs: [x], outputs }) =>
    x!.dtype !== "float32" || gradients.every((gradient) => gradient === undefined)
      ? []
      : [
          concat(
            outputs.map((output, i) => gradients[i] ?? zerosOf(output.shape)),
            axis
          )
        ],
  onnx: {
    default: (emit, [x], { axis, sizes }) => emit.nodes(sizes.length, "Split", [x!, emit.int64(sizes)], { axis }),
    // A node with more outputs than the device can bind fails.
    webgpu: (emit, [x], { axis, sizes }) => splitNested(emit, x!, sizes, axis)
  },
  sample: (pick) => {
    const sizes = Array.from({ length: pick.of([1, 2, 3, 10, 50]) }, () => pick.int(1, 3))
    const axis = pick.int(0, 2)
    return {
      inputs: [
        {
          dtype: "float32",
          shape: resize(
            sampleShape(pick),
            axis,
            sizes.reduce((sum, size) => sum + size, 0)
          )
        }
      ],
      attributes: { axis, sizes }
    }
  },
  points: [{ inputs: [matrix(1, 3, [1, 2, 3])], attributes: { axis: 1, sizes: [1, 2] }, outputs: [[1], [2, 3]] }]
})

/** Parts of the given sizes along `axis`; their sum must be the size of the axis. Raises `ShapeError`. */
export const split = (x: Tensor, sizes: ReadonlyArray<number>, axis: number): ReadonlyArray<Tensor> => {
  const found = foundAxis("split", [x], axis)
  return sizes.length === 1 && sizes[0] === x.shape[found] ? [x] : applyAll(splitOperator, [x], { axis: found, sizes })
}

export const shapeOperators: ReadonlyArray<AnyOperator> = [
  transposeOperator,
  sliceOperator,
  padOperator,
  concatOperator,
  splitOperator
]
