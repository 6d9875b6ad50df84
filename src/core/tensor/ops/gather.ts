/**
 * Reading and writing by index: rows of a table, and one number of each row. Each is the gradient of the other.
 *
 * Providers are wrong where indices repeat: ONNX Runtime's ScatterND with reduction=add loses sums when
 * two threads write to one row. So `scatterAddRows` is a product with one-hot rows for small tables and ScatterElements
 * (sequential, so correct) for large ones. An index outside of its table is an error of the backend; it does not wrap around.
 * Sources: ONNX Gather, GatherElements, ScatterElements.
 */

import type { OnnxEmitter } from "../OnnxGraph.ts"
import {
  type AnyOperator,
  type Attributes,
  apply,
  expectInputs,
  make,
  type NoAttributes,
  nonDifferentiable
} from "../Operator.ts"
import { integers, sizeOf, type Tensor } from "../Tensor.ts"
import { reshape } from "./broadcast.ts"
import { add } from "./elementwise.ts"

const checked = (index: number, size: number): number => {
  if (index >= 0 && index < size) return index
  throw new RangeError(`index ${index} is outside 0 … ${size - 1}`)
}

/**
 * y[i…] = table[indices[i…]]         table [V, C], indices int32 [...] → y [..., C]
 * The table's gradient sums the rows of repeated indices: scatterAddRows.
 */
export const gatherOperator = make<NoAttributes>({
  name: "gather",
  shape: (inputs, _, broken) => {
    expectInputs(inputs, ["float32[V, C]", "int32[...]"], broken)
    return [{ dtype: "float32", shape: [...inputs[1]!.shape, inputs[0]!.shape[1]!] }]
  },
  reference: ([table, indices], _, [type]) => {
    const [rows, width] = [table!.shape[0]!, table!.shape[1]!]
    const data = new Float64Array(sizeOf(type!.shape))
    indices!.data.forEach((index: number, i: number) => {
      const from = checked(index, rows) * width
      for (let c = 0; c < width; c++) data[i * width + c] = table!.data[from + c]!
    })
    return [{ ...type!, data }]
  },
  gradient: ({ gradients, inputs }) => {
    const [table, indices, g] = [inputs[0]!, inputs[1]!, gradients[0]!]
    const count = sizeOf(indices.shape)
    const rows = reshape(g, [count, table.shape[1]!])
    return [scatterAddRows(reshape(indices, [count]), rows, { rows: table.shape[0]! }), undefined]
  },
  onnx: { default: (emit, inputs) => [emit.node("Gather", inputs, { axis: 0 })] },
  sample: (pick) => {
    const rows = pick.int(1, 4)
    return {
      inputs: [
        { dtype: "float32", shape: [rows, pick.int(1, 4)], range: [-2, 2] },
        { dtype: "int32", shape: pick.of([[], [1], [5], [2, 3]]), range: [0, rows - 1] }
      ],
      attributes: {}
    }
  },
  points: [
    {
      inputs: [
        { dtype: "float32", shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
        { dtype: "int32", shape: [3], data: Int32Array.of(2, 0, 2) }
      ],
      attributes: {},
      outputs: [[5, 6, 1, 2, 5, 6]]
    }
  ]
})

/** Rows of `table` [V, C] by `indices` (int32, any shape): [..., C]. Raises `ShapeError`. */
export const gather = (table: Tensor, indices: Tensor): Tensor => apply(gatherOperator, [table, indices], {})

interface RowsAttributes extends Attributes {
  /** V, the number of rows of the result. */
  readonly rows: number
}

/**
 * Tables up to this many rows take the one-hot product. Measured on the CPU provider with N = 1024, C = 192, one thread:
 * V = 16: 0.09 ms against 0.76 ms, V = 64: 0.22 / 0.77, V = 256: 0.74 / 0.79, V = 4096: 13.7 / 1.2. The product costs
 * V·N·C and the scatter N·C + V·C, so the crossover depends on V alone.
 */
const oneHotRows = 256

/** One-hot rows of `indices` [N]: float [N, size]. */
const oneHot = (emit: OnnxEmitter, indices: string, size: number): string => {
  const column = emit.node("Unsqueeze", [indices, emit.int64([1])])
  return emit.node("Cast", [emit.node("Equal", [column, emitRange(emit, size)])], { to: 1 })
}

/** int32 0 … size − 1. ONNX Runtime folds it into a constant, so the model file stays small; equal ranges are one node. */
export const emitRange = (emit: OnnxEmitter, size: number): string => {
  const int = (value: number) => emit.constant({ dtype: "int32", shape: [], data: Int32Array.of(value) })
  return emit.node("Range", [int(0), int(size), int(1)])
}

/**
 * y[v] = Σ updates[n] over the n with indices[n] = v         indices int32 [N], updates [N, C] → y [V, C]
 * d updates = gather(g, indices).
 */
export const scatterAddRowsOperator = make<RowsAttributes>({
  name: "scatterAddRows",
  shape: (inputs, { rows }, broken) => {
    expectInputs(inputs, ["int32[N]", "float32[N, C]"], broken)
    return [{ dtype: "float32", shape: [rows, inputs[1]!.shape[1]!] }]
  },
  reference: ([indices, updates], { rows }, [type]) => {
    const width = updates!.shape[1]!
    const data = new Float64Array(sizeOf(type!.shape))
    indices!.data.forEach((index: number, i: number) => {
      const to = checked(index, rows) * width
      for (let c = 0; c < width; c++) data[to + c] = data[to + c]! + updates!.data[i * width + c]!
    })
    return [{ ...type!, data }]
  },
  gradient: ({ gradients, inputs }) => [undefined, gather(gradients[0]!, inputs[0]!)],
  onnx: {
    default: (emit, [indices, updates], { rows }, { inputs }) => {
      if (rows <= oneHotRows) return [emit.node("Gemm", [oneHot(emit, indices!, rows), updates!], { transA: 1 })]
      const shape = inputs[1]!.shape
      const spread = emit.node("Expand", [emit.node("Unsqueeze", [indices!, emit.int64([1])]), emit.int64(shape)])
      const zeros = emit.node("Expand", [emit.float(0), emit.int64([rows, shape[1]!])])
      return [emit.node("ScatterElements", [zeros, spread, updates!], { axis: 0, reduction: "add" })]
    },
    // Atomic additions would make sums depend on timing; the product is deterministic.
    webgpu: (emit, [indices, updates], { rows }) => [
      emit.node("Gemm", [oneHot(emit, indices!, rows), updates!], { transA: 1 })
    ]
  },
  sample: (pick) => {
    const rows = pick.of([1, 3, oneHotRows, oneHotRows + 1])
    const count = pick.int(1, 6)
    return {
      inputs: [
        { dtype: "int32", shape: [count], range: [0, Math.min(rows - 1, 3)] },
        { dtype: "float32", shape: [count, pick.int(1, 3)], range: [-2, 2] }
      ],
      attributes: { rows }
    }
  },
  points: [
    {
      inputs: [
        { dtype: "int32", shape: [3], data: Int32Array.of(2, 0, 2) },
        { dtype: "float32", shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) }
      ],
      attributes: { rows: 4 },
      outputs: [[3, 4, 0, 0, 6, 8, 0, 0]]
    }
  ]
})

/** Adds the rows of `updates` [N, C] into a zero table [rows, C] at `indices` (int32 [N]). Rows of repeated indices are summed. */
export const scatterAddRows = (indices: Tensor, updates: Tensor, options: { readonly rows: number }): Tensor =>
  apply(scatterAddRowsOperator, [indices, updates], { rows: options.rows })

/** y[n] = x[n, indices[n]]         x [N, V], indices int32 [N] → y [N] */
export const gatherElementsOperator = make<NoAttributes>({
  name: "gatherElements",
  shape: (inputs, _, broken) => {
    expectInputs(inputs, ["float32[N, V]", "int32[N]"], broken)
    return [{ dtype: "float32", shape: inputs[1]!.shape }]
  },
  reference: ([x, indices], _, [type]) => {
    const width = x!.shape[1]!
    const at = (n: number) => n * width + checked(indices!.data[n]!, width)
    return [{ ...type!, data: Float64Array.from(indices!.data, (_, n) => x!.data[at(n)]!) }]
  },
  gradient: ({ gradients, inputs }) => [scatterElements(inputs[1]!, gradients[0]!, inputs[0]!.shape[1]!), undefined],
  onnx: {
    default: (emit, [x, indices]) => {
      const axis = emit.int64([1])
      const column = emit.node("Unsqueeze", [indices!, axis])
      return [emit.node("Squeeze", [emit.node("GatherElements", [x!, column], { axis: 1 }), axis])]
    }
  },
  sample: (pick) => {
    const [rows, width] = [pick.int(1, 4), pick.int(1, 5)]
    return {
      inputs: [
        { dtype: "float32", shape: [rows, width], range: [-2, 2] },
        { dtype: "int32", shape: [rows], range: [0, width - 1] }
      ],
      attributes: {}
    }
  },
  points: [
    {
      inputs: [
        { dtype: "float32", shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
        { dtype: "int32", shape: [2], data: Int32Array.of(2, 0) }
      ],
      attributes: {},
      outputs: [[3, 4]]
    }
  ]
})

/** One number of each row, by its index in the row: x [N, V], indices int32 [N] → [N]. Raises `ShapeError`. */
export const gatherElements = (x: Tensor, indices: Tensor): Tensor => apply(gatherElementsOperator, [x, indices], {})

interface WidthAttributes extends Attributes {
  /** V, the length of the rows. */
  readonly width: number
}

/** y[n, indices[n]] = values[n], 0 elsewhere         indices int32 [N], values [N] → y [N, V]. The gradient of gatherElements. */
export const scatterElementsOperator = make<WidthAttributes>({
  name: "scatterElements",
  shape: (inputs, { width }, broken) => {
    expectInputs(inputs, ["int32[N]", "float32[N]"], broken)
    return [{ dtype: "float32", shape: [inputs[0]!.shape[0]!, width] }]
  },
  reference: ([indices, values], { width }, [type]) => {
    const data = new Float64Array(sizeOf(type!.shape))
    indices!.data.forEach((index: number, n: number) => {
      data[n * width + checked(index, width)] = values!.data[n]!
    })
    return [{ ...type!, data }]
  },
  gradient: ({ gradients, inputs }) => [undefined, gatherElements(gradients[0]!, inputs[0]!)],
  onnx: {
    default: (emit, [indices, values], { width }, { inputs }) => {
      const axis = emit.int64([1])
      const zeros = emit.node("Expand", [emit.float(0), emit.int64([inputs[0]!.shape[0]!, width])])
      const columns = [indices!, values!].map((name) => emit.node("Unsqueeze", [name, axis]))
      return [emit.node("ScatterElements", [zeros, ...columns], { axis: 1 })]
    }
  },
  sample: (pick) => {
    const [rows, width] = [pick.int(1, 4), pick.int(1, 5)]
    return {
      inputs: [
        { dtype: "int32", shape: [rows], range: [0, width - 1] },
        { dtype: "float32", shape: [rows], range: [-2, 2] }
      ],
      attributes: { width }
    }
  },
  points: [
    {
      inputs: [
        { dtype: "int32", shape: [2], data: Int32Array.of(2, 0) },
        { dtype: "float32", shape: [2], data: Float32Array.of(5, 6) }
      ],
      attributes: { width: 3 },
      outputs: [[0, 0, 5, 6, 0, 0]]
    }
  ]
})

const scatterElements = (indices: Tensor, values: Tensor, width: number): Tensor =>
  apply(scatterElementsOperator, [indices, values], { width })

/**
 * x with rows position … position + n − 1 of the second-last axis replaced
 * x [..., S, D], rows [..., n, D], position int32 [] → y [..., S, D]
 * One node on the CPU, whose cost is the copy of x (6 × 256 × 64: 0.06 ms, of which the copy 0.05).
 */
export const writeRowsOperator = make<NoAttributes>({
  name: "writeRows",
  rowUpdate: { rows: 1, position: 2 },
  shape: (inputs, _, broken) => {
    expectInputs(inputs, ["float32[..., S, D]", "float32[..., n, D]", "int32[]"], broken)
    const [size, count] = [inputs[0]!, inputs[1]!].map((input) => input.shape[input.shape.length - 2]!)
    if (count! > size!) return broken(`${count} rows do not fit into ${size}`)
    return [{ dtype: "float32", shape: inputs[0]!.shape }]
  },
  reference: ([x, rows, position], _, [type]) => {
    const data = Float64Array.from(x!.data)
    const [size, count, width] = [x!.shape.at(-2)!, rows!.shape.at(-2)!, x!.shape.at(-1)!]
    const first = checked(position!.data[0]!, size - count + 1)
    rows!.data.forEach((value: number, i: number) => {
      const matrix = Math.floor(i / (count * width))
      data[(matrix * size + first) * width + (i % (count * width))] = value
    })
    return [{ ...type!, data }]
  },
  gradient: nonDifferentiable("it writes the key/value cache while decoding, and nothing is trained there"),
  onnx: {
    default: (emit, [x, rows, position], _, { inputs }) => {
      const shape = inputs[1]!.shape
      const index = emit.node("Expand", [rowsFrom(emit, position!, shape.at(-2)!), emit.int64(shape)])
      return [emit.node("ScatterElements", [x!, index, rows!], { axis: shape.length - 2 })]
    }
  },
  sample: (pick) => {
    const [size, width, leading] = [pick.int(1, 5), pick.int(1, 3), pick.of([[], [2], [1, 2]])]
    const count = pick.int(1, size)
    return {
      inputs: [
        { dtype: "float32", shape: [...leading, size, width], range: [-2, 2] },
        { dtype: "float32", shape: [...leading, count, width], range: [-2, 2] },
        { dtype: "int32", shape: [], range: [0, size - count] }
      ],
      attributes: {}
    }
  },
  points: [
    {
      inputs: [
        { dtype: "float32", shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
        { dtype: "float32", shape: [1, 2], data: Float32Array.of(7, 8) },
        { dtype: "int32", shape: [], data: Int32Array.of(1) }
      ],
      attributes: {},
      outputs: [[1, 2, 7, 8, 5, 6]]
    }
  ]
})

/** position … position + count − 1 as a column [count, 1]. */
const rowsFrom = (emit: OnnxEmitter, position: string, count: number): string =>
  emit.node("Unsqueeze", [emit.node("Add", [emitRange(emit, count), position]), emit.int64([1])])

/**
 * x [..., S, D] with `rows` [..., n, D] written at rows position … position + n − 1 (position: int32 scalar tensor).
 * Rows that would not fit are an error of the backend.
 */
export const writeRows = (x: Tensor, rows: Tensor, position: Tensor): Tensor =>
  apply(writeRowsOperator, [x, rows, position], {})

/** Rows position … position + count − 1 of `table` [S, D]: [count, D]. `position` is an int32 scalar tensor. */
export const sliceAt = (table: Tensor, position: Tensor, count: number): Tensor =>
  gather(table, add(integers(Array.from({ length: count }, (_, i) => i)), position))

export const gatherOperators: ReadonlyArray<AnyOperator> = [
  gatherOperator,
  scatterAddRowsOperator,
  gatherElementsOperator,
  scatterElementsOperator,
  writeRowsOperator
]
