/**
 * One ONNX graph for every batch and length, from graphs of a few.
 *
 * A Program has fixed shapes, so its graph holds them as numbers: the operands of Reshape, the ends of Slice, the limits of Range.
 * Lowered for several batches B and lengths T, it has the same nodes each time. Only such operands differ, and each of their
 * numbers is a + b·B + c·T + d·B·T. Four graphs give the coefficients and a fifth one checks them; the operand becomes that
 * formula over the shape of the input. So no operator and no model needs to know of it.
 *
 * Numbers of another form (T², say), or nodes that depend on the sizes, are refused: such a model can be exported for one length.
 */
import * as Either from "effect/Either"
import { elementTypes, type OnnxGraph, type OnnxInitializer, type OnnxNode } from "./OnnxGraph.ts"

/** A graph and the sizes for which it was lowered. */
export interface SizedGraph {
  readonly batch: number
  readonly length: number
  readonly graph: OnnxGraph
}

/** Sizes to lower a graph for: the corners of a rectangle, and a check outside of it. `longest` is the largest T. */
export const sizesFor = (longest: number): ReadonlyArray<Pick<SizedGraph, "batch" | "length">> => {
  // Primes that are no size of a model, because equal operands are stored once. The longest T itself may be a special case.
  const [first, second, third] = [1009, 1013, 1019]
  const top = longest > 2 ? longest - 1 : longest
  const lengths = [top, top - 1, top - 2].map((length) => Math.max(1, length))
  return [
    { batch: first, length: lengths[0]! },
    { batch: second, length: lengths[0]! },
    { batch: first, length: lengths[1]! },
    { batch: second, length: lengths[1]! },
    { batch: third, length: lengths[2]! }
  ]
}

/**
 * The graph for any batch and length, with the names of the first one, or what cannot be expressed. `input` is an int32 or int64
 * input [B, T]. Shapes of inputs and outputs stay those of the first graph.
 */
export const generalize = (sized: ReadonlyArray<SizedGraph>, input: string): Either.Either<OnnxGraph, string> => {
  const traces = sized.map(({ graph }) => traceOf(graph))
  const [{ graph }, first] = [sized[0]!, traces[0]!]
  if (sized.some((other) => other.graph.nodes.length !== graph.nodes.length)) {
    return Either.left("the number of its operators depends on the batch or the length")
  }
  const formulas = makeFormulas(input)
  const nodes: Array<OnnxNode> = []
  for (const [index, node] of graph.nodes.entries()) {
    const others = sized.map((other) => other.graph.nodes[index]!)
    if (others.some((other) => signatureOf(other) !== signatureOf(node))) {
      return Either.left(`an operator ${node.opType} depends on the batch or the length`)
    }
    const inputs: Array<string> = []
    for (const [place, name] of node.inputs.entries()) {
      const names = others.map((other) => other.inputs[place]!)
      const values = names.map((each, i) => traces[i]!.initializers.get(each))
      const [value] = values
      if (value === undefined || values.some((each) => each === undefined)) {
        const sources = new Set(names.map((each, i) => traces[i]!.sources.get(each) ?? each))
        if (sources.size > 1)
          return Either.left(`the inputs of an operator ${node.opType} depend on the batch or the length`)
        inputs.push(name)
        continue
      }
      const operands = values.flatMap((each) => (each === undefined ? [] : [each]))
      if (operands.every((each) => sameValue(each, value))) {
        inputs.push(name)
        continue
      }
      const coefficients = solve(sized, operands)
      if (coefficients === undefined) {
        return Either.left(`a constant of an operator ${node.opType} depends on the batch or the length in its own way`)
      }
      inputs.push(formulas.nameOf(value, coefficients))
    }
    nodes.push({ ...node, inputs })
  }
  const used = new Set(nodes.flatMap((node) => node.inputs))
  return Either.right({
    ...graph,
    initializers: [...[...first.initializers.values()].filter(({ name }) => used.has(name)), ...formulas.initializers],
    nodes: [...formulas.nodes, ...nodes]
  })
}

/** The initializers of a graph by name, and where its other names come from: `4.0` is the first output of the fifth node. */
const traceOf = (graph: OnnxGraph) => ({
  initializers: new Map(graph.initializers.map((value) => [value.name, value])),
  sources: new Map(
    graph.nodes.flatMap(({ outputs }, index) => outputs.map((name, place) => [name, `${index}.${place}`] as const))
  )
})

const signatureOf = ({ attributes, domain, inputs, opType, outputs }: OnnxNode): string =>
  JSON.stringify([domain, opType, attributes, inputs.length, outputs.length])

const sameValue = (a: OnnxInitializer, b: OnnxInitializer): boolean => {
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join() || a.data.length !== b.data.length) return false
  for (let i = 0; i < a.data.length; i++) if (!Object.is(a.data[i], b.data[i])) return false
  return true
}

/** The factors of 1, B, T and B·T for each number of an operand. */
type Coefficients = readonly [constant: Factors, batch: Factors, length: Factors, both: Factors]
type Factors = ReadonlyArray<number>

/** The coefficients of an operand that has these values, if there are whole ones that fit all of them. */
const solve = (
  sized: ReadonlyArray<SizedGraph>,
  operands: ReadonlyArray<OnnxInitializer>
): Coefficients | undefined => {
  const [{ dtype, shape }] = [operands[0]!]
  const isInteger = dtype === "int32" || dtype === "int64"
  if (!isInteger || operands.some((each) => each.dtype !== dtype || each.shape.join() !== shape.join()))
    return undefined
  const [corner, wider, longer, opposite] = operands.map(({ data }) => Array.from(data, Number))
  const [batch, length] = [sized[0]!.batch, sized[0]!.length]
  const [over, along] = [sized[1]!.batch - batch, sized[2]!.length - length]
  const zeros = corner!.map(() => 0)
  const slope = (to: Factors, from: Factors, by: number) =>
    to.map((value, i) => (by === 0 ? 0 : (value - from[i]!) / by))
  const mixed = along === 0 ? zeros : slope(slope(opposite!, longer!, over), slope(wider!, corner!, over), along)
  const byBatch = slope(wider!, corner!, over).map((value, i) => value - mixed[i]! * length)
  const byLength = slope(longer!, corner!, along).map((value, i) => value - mixed[i]! * batch)
  const constant = corner!.map(
    (value, i) => value - byBatch[i]! * batch - byLength[i]! * length - mixed[i]! * batch * length
  )
  const found: Coefficients = [constant, byBatch, byLength, mixed]
  const fits = operands.every(({ data }, k) => {
    const [B, T] = [sized[k]!.batch, sized[k]!.length]
    return constant.every(
      (value, i) => value + byBatch[i]! * B + byLength[i]! * T + mixed[i]! * B * T === Number(data[i])
    )
  })
  return fits && found.flat().every(Number.isInteger) ? found : undefined
}

/** Collects the nodes that compute operands from the shape of the input. Equal operands are computed once. */
const makeFormulas = (input: string) => {
  const nodes: Array<OnnxNode> = []
  const initializers: Array<OnnxInitializer> = []
  const known = new Map<string, string>()
  const once = (key: string, make: (name: string) => void): string => {
    const name = known.get(key) ?? `shape_${known.size}`
    if (!known.has(key)) {
      known.set(key, name)
      make(name)
    }
    return name
  }
  const node = (opType: string, inputs: ReadonlyArray<string>, attributes: OnnxNode["attributes"] = {}) =>
    once(`${opType}(${inputs.join()})${JSON.stringify(attributes)}`, (name) =>
      nodes.push({ opType, domain: "", inputs, outputs: [name], attributes })
    )
  const int64 = (values: Factors, shape: ReadonlyArray<number>) =>
    once(`int64[${shape.join()}](${values.join()})`, (name) =>
      initializers.push({ name, dtype: "int64", shape, data: BigInt64Array.from(values, BigInt) })
    )
  const size = (axis: number) => node("Gather", [node("Shape", [input]), int64([axis], [])], { axis: 0 })
  const factors = [() => undefined, () => size(0), () => size(1), () => node("Mul", [size(0), size(1)])]
  return {
    nodes,
    initializers,
    nameOf: ({ dtype, shape }: OnnxInitializer, coefficients: Coefficients): string => {
      const terms = coefficients.flatMap((values, i) => {
        if (values.every((value) => value === 0)) return []
        const factor = factors[i]!()
        const constant = int64(values, shape)
        return [factor === undefined ? constant : node("Mul", [constant, factor])]
      })
      const sum = terms.reduce((left, right) => node("Add", [left, right]))
      return dtype === "int32" ? node("Cast", [sum], { to: elementTypes.int32 }) : sum
    }
  }
}
