/**
 * The first values of a model's parameters: a function of its specs and a seed.
 *
 * Every parameter has its own generator, seeded by (seed, name), so adding a layer leaves the others' values alone.
 */
import { PCGRandom } from "effect/Utils"
import { mix } from "../data/DataOrder.ts"
import type { ParameterSpec, ParameterSpecs } from "../tensor/Module.ts"
import { sizeOf, type TensorData } from "../tensor/Tensor.ts"

/** The first values of all parameters. */
export const initialParameters = (specs: ParameterSpecs, seed: number): { readonly [name: string]: TensorData } =>
  Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, initial(name, spec, seed)]))

const initial = (name: string, spec: ParameterSpec, seed: number): TensorData => {
  const data = new Float32Array(sizeOf(spec.shape))
  if (spec.initial._tag === "Constant") data.fill(spec.initial.value)
  else
    fillNormal(
      data,
      spec.initial.std,
      new PCGRandom(
        seed,
        [...name].reduce((hash, c) => mix(hash, c.codePointAt(0)!), 1)
      )
    )
  return { dtype: "float32", shape: spec.shape, data }
}

/** Box and Muller 1958: two normal numbers from two uniform ones. */
const fillNormal = (data: Float32Array, std: number, random: PCGRandom): void => {
  for (let i = 0; i < data.length; i += 2) {
    const radius = std * Math.sqrt(-2 * Math.log(1 - random.number()))
    const angle = 2 * Math.PI * random.number()
    data[i] = radius * Math.cos(angle)
    if (i + 1 < data.length) data[i + 1] = radius * Math.sin(angle)
  }
}
