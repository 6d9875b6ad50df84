/**
 * Reshape: the same numbers in the same order under other sizes. Costs nothing: no provider copies for it.
 *
 * A file of its own because every other family's gradient needs it; `shape.ts` exports it together with its kin.
 */
import { apply, type NdArray, type Operator } from "../Operator.ts"
import { type DType, type Shape, sameShape, sizeOf, type Tensor } from "../Tensor.ts"

type Attributes = { readonly shape: Shape }

const renamed = (x: NdArray, shape: Shape): NdArray => ({ dtype: x.dtype, shape, data: x.data })

const operator: Operator<Attributes> = {
  name: "reshape",
  shape: ([x], { shape }, broken) => {
    if (shape.some((size) => !Number.isInteger(size) || size < 0)) {
      broken(`${sizeOf(x!.shape)} elements do not fill [${shape.join(", ")}]: no size fits for -1`)
    }
    if (sizeOf(x!.shape) !== sizeOf(shape)) {
      broken(`${sizeOf(x!.shape)} elements do not fill [${shape.join(", ")}], which has ${sizeOf(shape)}`)
    }
    return [{ dtype: x!.dtype, shape }]
  },
  reference: ([x], { shape }) => [renamed(x!, shape)],
  gradient: ({ gradients, inputs }) => [
    gradients[0] === undefined ? undefined : reshape(gradients[0], inputs[0]!.shape)
  ],
  onnx: {
    // ONNX reads a size of 0 as "copy from the input" unless told otherwise.
    default: (emit, [x], { shape }) => [
      emit.node("Reshape", [x!, emit.int64(shape)], shape.includes(0) ? { allowzero: 1 } : {})
    ]
  },
  sample: (pick) => {
    const sizes = [pick.int(1, 3), pick.int(1, 3), pick.int(1, 3)] as const
    return {
      inputs: [{ dtype: pick.of<DType>(["float32", "int32"]), shape: sizes }],
      attributes: { shape: pick.of([[sizes[0] * sizes[1], sizes[2]], [sizes[2], sizes[0], sizes[1]], [sizeOf(sizes)]]) }
    }
  },
  points: []
}

/**
 * x under another shape of as many elements. One size may be −1: what is left. Raises `ShapeError`.
 *
 * @example reshape(x, [-1, channels]) // [B, T, C] → [B·T, C]
 */
export const reshape = (x: Tensor, shape: Shape): Tensor => {
  const rest = sizeOf(x.shape) / sizeOf(shape.filter((size) => size !== -1))
  const one = shape.filter((size) => size === -1).length === 1 && Number.isInteger(rest)
  const filled = one ? shape.map((size) => (size === -1 ? rest : size)) : shape
  return sameShape(filled, x.shape) ? x : apply(operator, [x], { shape: filled })
}

export const reshapeOperators: ReadonlyArray<Operator> = [operator]
