/**
 * Multiplies scalars with scalars before they meet a tensor: one rewriting of sums, for the updates of optimizers.
 *
 *     s·(a·t + b·x / d) + x  =  t·(s·a) + x·1 + x·(s·b) / d          equal tensors are collected: x·1 + x·c = x·(1 + c)
 *
 * ONNX Runtime makes one pass over memory for each node, so a factor that is a scalar should cost a scalar's work. The
 * value is the same up to rounding. Known limit: only sums, differences, negations, products with a scalar, and
 * quotients are searched; everything else is a term.
 */
import { add, addOperator, div, divOperator, mul, mulOperator, negOperator, subOperator } from "./ops/elementwise.ts"
import { type Node, scalar, type Tensor } from "./Tensor.ts"

/** factor · tensor / divisor; without a factor or divisor these are 1. */
interface Term {
  readonly factor?: Tensor
  readonly tensor: Tensor
  readonly divisor?: Tensor
}

const isScalar = (tensor: Tensor) => tensor.shape.length === 0

/**
 * The same sum with its scalar factors combined. Tensors in `kept` are terms even where they are sums themselves, because
 * something else needs them whole.
 */
export const combineScalars = (sum: Tensor, kept: ReadonlyArray<Tensor>): Tensor => {
  const whole = new Set<Node>(kept.map(({ node }) => node))
  const terms: Array<Term> = []
  for (const term of termsOf(sum, whole)) {
    const at = terms.findIndex(
      (other) => sameTensor(other.tensor, term.tensor) && sameTensor(other.divisor, term.divisor)
    )
    if (at === -1) terms.push(term)
    else terms[at] = { ...terms[at]!, factor: add(factorOf(terms[at]!), factorOf(term)) }
  }
  return terms.map(written).reduce(add)
}

const sameTensor = (a: Tensor | undefined, b: Tensor | undefined) => a?.node === b?.node && a?.output === b?.output

const factorOf = ({ factor = scalar(1) }: Term): Tensor => factor

/** The factor goes to the dividend: what is divided is as exact as what an optimizer writes by hand. */
const written = ({ divisor, factor, tensor }: Term): Tensor => {
  const scaled = factor === undefined ? tensor : mul(tensor, factor)
  return divisor === undefined ? scaled : div(scaled, divisor)
}

const scaled = (term: Term, factor: Tensor): Term => ({
  ...term,
  factor: term.factor === undefined ? factor : mul(term.factor, factor)
})

const termsOf = (tensor: Tensor, whole: ReadonlySet<Node>): ReadonlyArray<Term> => {
  const { node } = tensor
  if (node._tag !== "Apply" || whole.has(node) || isScalar(tensor) || tensor.dtype !== "float32") return [{ tensor }]
  const [a, b] = node.inputs
  const inside = (input: Tensor) => termsOf(input, whole)
  switch (node.operator.definition) {
    case negOperator:
      return inside(a!).map((term) => scaled(term, scalar(-1)))
    case addOperator:
      return broadcasts(node.inputs) ? [{ tensor }] : [...inside(a!), ...inside(b!)]
    case subOperator:
      return broadcasts(node.inputs)
        ? [{ tensor }]
        : [...inside(a!), ...inside(b!).map((term) => scaled(term, scalar(-1)))]
    case mulOperator:
      if (isScalar(b!)) return inside(a!).map((term) => scaled(term, b!))
      return isScalar(a!) ? inside(b!).map((term) => scaled(term, a!)) : [{ tensor }]
    case divOperator: {
      const [first, ...others] = inside(a!)
      const single = !broadcasts(node.inputs) && others.length === 0 && first!.divisor === undefined
      return single ? [{ ...first!, divisor: b! }] : [{ tensor }]
    }
    default:
      return [{ tensor }]
  }
}

const broadcasts = ([a, b]: ReadonlyArray<Tensor>) => a!.shape.join() !== b!.shape.join()
