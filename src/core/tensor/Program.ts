/**
 * A Program is a pure function `(state, inputs) → (state, outputs)` of named tensors.
 *
 * A training step, an evaluation step and one decoding step with its key/value cache are all Programs. `state` names the
 * tensors that the backend keeps between runs; a Program may read a state tensor without writing it, and several
 * Programs compiled together share state of the same name. A Program does not say where it is computed.
 *
 * Input tensors of the graph are named `state/<name>` and `input/<name>`, so the two cannot collide.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { streamUsedTwice } from "./ops/random.ts"
import { input, ShapeError, sameShape, show, type Tensor, type TensorType, topologicalOrder } from "./Tensor.ts"

/** A graph with names for its inputs and results. `make` builds and checks one. */
export interface Program {
  readonly name: string
  /** State that the Program reads or writes. */
  readonly state: { readonly [name: string]: TensorType }
  readonly inputs: { readonly [name: string]: TensorType }
  /** New values of the state that it writes. */
  readonly nextState: { readonly [name: string]: Tensor }
  readonly outputs: { readonly [name: string]: Tensor }
}

/** Tensors of a graph, by name. */
export type Tensors = { readonly [name: string]: Tensor }
/** Types of tensors, by name. */
export type TensorTypes = { readonly [name: string]: TensorType }

/** A Program whose result does not fit its declaration: a bug in its `build`. */
export class ProgramError extends Schema.TaggedError<ProgramError>()("ProgramError", {
  program: Schema.String,
  fault: Schema.String
}) {
  override get message() {
    return `Program "${this.program}": ${this.fault}`
  }
}

/** What `make` is called with. `build` gets a tensor for each name of `state` and `inputs`. */
export interface Definition {
  readonly name: string
  readonly state: TensorTypes
  readonly inputs: TensorTypes
  readonly build: (state: Tensors, inputs: Tensors) => { readonly state?: Tensors; readonly outputs: Tensors }
}

/**
 * Runs `build` once and keeps the graph. The only place where a `ShapeError` raised by an operator becomes a value.
 *
 * @example
 *   Program.make({
 *     name: "double",
 *     state: {},
 *     inputs: { x: { dtype: "float32", shape: [2] } },
 *     build: (_, { x }) => ({ outputs: { y: add(x!, x!) } })
 *   })
 */
export const make = (definition: Definition): Effect.Effect<Program, ShapeError | ProgramError> =>
  Effect.gen(function* () {
    const named = (prefix: string, types: TensorTypes): Tensors =>
      Object.fromEntries(
        Object.entries(types).map(([name, type]) => [name, input(`${prefix}/${name}`, type.dtype, type.shape)])
      )
    const built = yield* Effect.suspend(() => {
      try {
        return Effect.succeed(definition.build(named("state", definition.state), named("input", definition.inputs)))
      } catch (error) {
        return error instanceof ShapeError ? Effect.fail(error) : Effect.die(error)
      }
    })
    const program: Program = {
      name: definition.name,
      state: definition.state,
      inputs: definition.inputs,
      nextState: built.state ?? {},
      outputs: built.outputs
    }
    const fault = faultOf(program)
    if (fault !== undefined) return yield* new ProgramError({ program: program.name, fault })
    return program
  })

/** All tensors that the Program computes, in a fixed order: new state, then outputs. */
export const roots = (program: Program): ReadonlyArray<Tensor> => [
  ...Object.values(program.nextState),
  ...Object.values(program.outputs)
]

/** Names of the state and of the inputs that the Program's results depend on. */
export const readsOf = (
  program: Program
): { readonly state: ReadonlyArray<string>; readonly inputs: ReadonlyArray<string> } => {
  const used = new Set(topologicalOrder(roots(program)).flatMap((node) => (node._tag === "Input" ? [node.name] : [])))
  return {
    state: Object.keys(program.state).filter((name) => used.has(`state/${name}`)),
    inputs: Object.keys(program.inputs).filter((name) => used.has(`input/${name}`))
  }
}

/**
 * The first thing that is wrong with a Program, or `undefined`. `make` calls it, and tests call it for every Program that
 * codex builds.
 */
export const faultOf = (program: Program): string | undefined => {
  for (const [name, tensor] of Object.entries(program.nextState)) {
    const declared = program.state[name]
    if (declared === undefined) return `new state "${name}" is not declared in state`
    if (declared.dtype !== tensor.dtype || !sameShape(declared.shape, tensor.shape)) {
      return `state "${name}" is declared as ${show(declared)} and written as ${show(tensor)}`
    }
  }
  const declared = new Map<string, TensorType>([
    ...Object.entries(program.state).map(([name, type]) => [`state/${name}`, type] as const),
    ...Object.entries(program.inputs).map(([name, type]) => [`input/${name}`, type] as const)
  ])
  const nodes = topologicalOrder(roots(program))
  for (const node of nodes) {
    for (const type of node.types) {
      const wrong = type.shape.find((size) => !Number.isInteger(size) || size < 0)
      if (wrong !== undefined) return `a tensor has the shape [${type.shape.join(", ")}]`
    }
    if (node._tag !== "Input") continue
    const type = declared.get(node.name)
    if (type === undefined) return `the graph reads "${node.name}", which is not declared`
    if (type.dtype !== node.types[0].dtype || !sameShape(type.shape, node.types[0].shape)) {
      return `"${node.name}" is declared as ${show(type)} and read as ${show(node.types[0])}`
    }
  }
  const stream = streamUsedTwice(nodes)
  if (stream !== undefined) {
    return `random stream ${stream} is used twice with one seed, which gives the same numbers twice: give each use its own stream`
  }
  return undefined
}
