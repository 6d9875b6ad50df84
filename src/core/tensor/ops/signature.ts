/**
 * What an operator expects, as a pattern: `["float32[T, C]", "float32[C]"]`.
 *
 * A letter stands for one size and means the same size wherever it is written; `...` stands for any number of leading
 * axes, the same everywhere. Shape rules use it so that every operator states its inputs, and complains about them, in
 * one form. Rules that are no pattern (batch axes that may be missing, sizes that divide) stay with the operator.
 */
import type { TensorType } from "../Tensor.ts"

/** Calls `broken` with the pattern and the first input that does not fit it. Missing trailing inputs are allowed from `required` on. */
export const expectInputs = (
  inputs: ReadonlyArray<TensorType>,
  patterns: ReadonlyArray<string>,
  broken: (rule: string) => never,
  required: number = patterns.length
): void => {
  const expected = `expects ${patterns.join(", ")}`
  if (inputs.length < required || inputs.length > patterns.length) broken(`${expected}; got ${inputs.length} inputs`)
  const bound = new Map<string, string>()
  inputs.forEach((input, i) => {
    const fault = faultOf(input, patterns[i]!, bound)
    if (fault !== undefined) broken(`${expected}; input ${i + 1} ${fault}`)
  })
}

const faultOf = (input: TensorType, pattern: string, bound: Map<string, string>): string | undefined => {
  const open = pattern.indexOf("[")
  const dtype = pattern.slice(0, open)
  if (input.dtype !== dtype) return `is ${input.dtype}`
  const letters = pattern
    .slice(open + 1, -1)
    .split(", ")
    .filter((letter) => letter !== "")
  const leading = letters[0] === "..."
  const fixed = leading ? letters.slice(1) : letters
  const rest = input.shape.length - fixed.length
  if (rest < 0 || (rest > 0 && !leading)) return `has ${input.shape.length} axes`
  const bind = (letter: string, size: string) => {
    const known = bound.get(letter) ?? size
    bound.set(letter, known)
    return known === size ? undefined : `has ${letter} = ${size} where ${known} came before`
  }
  const faults = fixed.map((letter, i) => bind(letter, String(input.shape[rest + i])))
  if (leading) faults.unshift(bind("...", input.shape.slice(0, rest).join(", ")))
  return faults.find((fault) => fault !== undefined)
}
