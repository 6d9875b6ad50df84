/**
 * Rotary positions in the convention of Hugging Face's Llama: channels i and i + D/2 are rotated as a pair.
 *
 * The gradient of a rotation is the inverse rotation, so forward and backward are one operator. Angles are computed in
 * the graph from the position; where that is a constant ONNX Runtime folds them away, and in a decoding step all layers
 * share them. They are float64 for two reasons: a float32 product is off by up to 6e-5 radians at position 2,000, and
 * WGSL guarantees sines to 2^-11 only (2e-4 was measured). WebGPU has no float64, so the T · D/2 numbers of a position that changes
 * would cross from the CPU in each run. Where the number of positions is known, the angles of all of them are constants there.
 * The interleaved convention (channels 2i and 2i + 1) is not supported.
 * Sources: Su et al. 2021, https://arxiv.org/abs/2104.09864; ONNX Runtime's com.microsoft.RotaryEmbedding.
 */

import { elementTypes, type OnnxEmitter } from "../OnnxGraph.ts"
import {
  type AnyOperator,
  type Attributes,
  apply,
  expectInputs,
  make,
  type OnnxForm,
  type Operator
} from "../Operator.ts"
import { sizeOf, type Tensor } from "../Tensor.ts"
import { emitRange } from "./gather.ts"

/** Options of `rotary`. */
export interface RotaryOptions {
  /** Base of the frequencies; 10,000 in most checkpoints. */
  readonly theta: number
  /** Rotate in the other direction. */
  readonly inverse?: boolean
  /** How many positions there are; every token's is below it. WebGPU then looks the angles up, see above. */
  readonly positions?: number
}

interface RotaryAttributes extends Attributes {
  readonly theta: number
  readonly inverse: boolean
  /** 0: not known. */
  readonly positions: number
}

/** Radians per position, for each pair of channels: theta^(−2i/D). */
const frequencies = (width: number, theta: number): Float64Array =>
  Float64Array.from({ length: width / 2 }, (_, i) => theta ** ((-2 * i) / width))

/** Cosine and sine [T, D/2] of the angles of positions p … p + T − 1. */
const angles = (
  emit: OnnxEmitter,
  position: string,
  length: number,
  width: number,
  { inverse, theta }: RotaryAttributes
): readonly [cosine: string, sine: string] => {
  const rows = emit.node("Unsqueeze", [emit.node("Add", [emitRange(emit, length), position]), emit.int64([1])])
  const data = Float32Array.from(frequencies(width, theta))
  const turns = emit.constant({ dtype: "float32", shape: [1, width / 2], data })
  const [double, single] = [{ to: elementTypes.float64 }, { to: elementTypes.float32 }]
  const angle = emit.node("Mul", [emit.node("Cast", [rows], double), emit.node("Cast", [turns], double)])
  const cosine = emit.node("Cast", [emit.node("Cos", [angle])], single)
  const sine = emit.node("Cast", [emit.node("Sin", [angle])], single)
  return [cosine, inverse ? emit.node("Neg", [sine]) : sine]
}

/** The tables begin at the position of the first token: offset 0. */
const rotated = (emit: OnnxEmitter, x: string, tables: readonly [cosine: string, sine: string]): string =>
  emit.node("RotaryEmbedding", [x, emit.int64([0]), ...tables], {}, { domain: "com.microsoft" })

/** Angles from the position. */
const computed: OnnxForm<RotaryAttributes> = (emit, [x, position], attributes, { inputs }) => {
  const [T, D] = [inputs[0]!.shape[2]!, inputs[0]!.shape[3]!]
  return [rotated(emit, x!, angles(emit, position!, T, D, attributes))]
}

/**
 * y[t, i] = x[t, i]·cos a − x[t, i + D/2]·sin a,  y[t, i + D/2] = x[t, i + D/2]·cos a + x[t, i]·sin a   for i < D/2,
 * a = (p + t) · theta^(−2i/D), negated for the inverse         x [B, H, T, D], p int32 [] → y [B, H, T, D]
 */
export const rotaryOperator: Operator<RotaryAttributes> = make<RotaryAttributes>({
  name: "rotary",
  shape: (inputs, _, broken) => {
    expectInputs(inputs, ["float32[B, H, T, D]", "int32[]"], broken)
    const shape = inputs[0]!.shape
    if (shape[3]! % 2 !== 0) return broken(`the head width must be even, but it is ${shape[3]}`)
    return [{ dtype: "float32", shape }]
  },
  reference: ([x, position], { inverse, theta }, [type]) => {
    const [T, D] = [x!.shape[2]!, x!.shape[3]!]
    const turns = frequencies(D, theta)
    const data = new Float64Array(sizeOf(type!.shape))
    for (let row = 0; row < data.length / D; row++) {
      for (let i = 0; i < D / 2; i++) {
        const angle = (position!.data[0]! + (row % T)) * turns[i]! * (inverse ? -1 : 1)
        const [low, high] = [x!.data[row * D + i]!, x!.data[row * D + i + D / 2]!]
        data[row * D + i] = low * Math.cos(angle) - high * Math.sin(angle)
        data[row * D + i + D / 2] = high * Math.cos(angle) + low * Math.sin(angle)
      }
    }
    return [{ ...type!, data }]
  },
  gradient: ({ attributes, gradients, inputs }) => [
    apply(rotaryOperator, [gradients[0]!, inputs[1]!], { ...attributes, inverse: !attributes.inverse }),
    undefined
  ],
  onnx: {
    default: computed,
    portable: computed,
    webgpu: (emit, [x, position], attributes, types) => {
      if (attributes.positions === 0) return computed(emit, [x!, position!], attributes, types)
      const [T, D] = [types.inputs[0]!.shape[2]!, types.inputs[0]!.shape[3]!]
      const zero = emit.constant({ dtype: "int32", shape: [], data: Int32Array.of(0) })
      const rows = emit.node("Add", [emitRange(emit, T), position!])
      const [cosine, sine] = angles(emit, zero, attributes.positions, D, attributes)
      const at = (table: string) => emit.node("Gather", [table, rows], { axis: 0 })
      return [rotated(emit, x!, [at(cosine), at(sine)])]
    }
  },
  sample: (pick) => ({
    inputs: [
      {
        dtype: "float32",
        shape: [pick.int(1, 2), pick.int(1, 3), pick.int(1, 4), pick.of([2, 4, 8])],
        range: [-2, 2]
      },
      { dtype: "int32", shape: [], range: [0, 20] }
    ],
    attributes: { theta: pick.of([10, 10000]), inverse: pick.of([false, true]), positions: pick.of([0, 24]) }
  }),
  points: [
    {
      inputs: [
        { dtype: "float32", shape: [1, 1, 2, 4], data: Float32Array.of(1, 2, 3, 4, 1, 0, 0, 1) },
        { dtype: "int32", shape: [], data: Int32Array.of(0) }
      ],
      attributes: { theta: 10000, inverse: false, positions: 0 },
      // Position 0 stays; at position 1 the pairs (1, 0) and (0, 1) are rotated by 1 and by 0.01 radians.
      outputs: [[1, 2, 3, 4, Math.cos(1), -Math.sin(0.01), Math.sin(1), Math.cos(0.01)]]
    }
  ]
})

/** x [B, H, T, D] rotated by its positions; `position` (an int32 scalar tensor) is that of the first token. Raises `ShapeError`. */
export const rotary = (x: Tensor, position: Tensor, options: RotaryOptions): Tensor =>
  apply(rotaryOperator, [x, position], {
    theta: options.theta,
    inverse: options.inverse ?? false,
    positions: options.positions ?? 0
  })

export const rotaryOperators: ReadonlyArray<AnyOperator> = [rotaryOperator]
