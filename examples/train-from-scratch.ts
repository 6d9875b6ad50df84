/**
 * What happens when a model learns, in one file: no run, no combinators, no config. Only a graph, its gradient and a loop.
 *
 *     npx tsx examples/train-from-scratch.ts
 *
 * A model reads the last 32 bytes of a rhyme and predicts how probable each next byte is. Learning is three things in one
 * Program: how wrong the prediction was (the loss), how each parameter must change to make it better (the gradient), and
 * one small change in that direction (the optimizer). After 400 steps the model knows the rhyme by heart.
 *
 * To see the same with checkpoints, evaluation and resuming, read examples/train-from-typescript.ts.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Backend, Gradient, OnnxBackend, Optimizer, ops, Program, Tensor } from "codex-ml"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { PCGRandom } from "effect/Utils"

const text = "Twinkle, twinkle, little star, how I wonder what you are!\n"
const bytes = new TextEncoder().encode(text.repeat(4))
const [batch, context, width, vocabulary] = [8, 32, 32, 256]

// The parameters, by name and shape: [rows, columns].
const shapes = {
  tokens: [vocabulary, width],
  positions: [context, width],
  query: [width, width],
  key: [width, width],
  value: [width, width],
  up: [width, 4 * width],
  down: [4 * width, width]
} as const
const parameterTypes = Object.fromEntries(
  Object.entries(shapes).map(([name, shape]) => [name, { dtype: "float32" as const, shape }])
)

/** Logits [B·T, V]: a score for every byte that could come after each position of `ids` [B, T]. One transformer block. */
const forward = (p: Program.Tensors, ids: Tensor.Tensor, [B, T]: readonly [number, number]) => {
  const embedded = ops.add(ops.gather(p.tokens!, ids), p.positions!) // [B, T, C]: the byte and its position
  const x = ops.reshape(embedded, [B * T, width])
  const head = (weight: Tensor.Tensor) => ops.reshape(ops.gemm(x, weight), [B, 1, T, width])
  // Each position reads from the positions before it, as far as their keys match its query.
  const attended = ops.causalAttention(head(p.query!), head(p.key!), head(p.value!), {})
  const y = ops.add(x, ops.reshape(attended, [B * T, width]))
  const z = ops.add(y, ops.gemm(ops.gelu(ops.gemm(y, p.up!)), p.down!))
  return ops.gemm(z, p.tokens!, undefined, { transposeB: true })
}

const optimizer = Optimizer.adamw({ beta2: 0.95, weightDecay: 0.01, maxNorm: 1 })

// Programs that are compiled together share state of the same name: `learn` writes what `predict` reads.
const learn = Program.make({
  name: "learn",
  state: { ...parameterTypes, ...optimizer.state(parameterTypes) },
  inputs: {
    ids: { dtype: "int32", shape: [batch, context] },
    targets: { dtype: "int32", shape: [batch * context] },
    step: { dtype: "float32", shape: [] }
  },
  build: (state, { ids, step, targets }) => {
    const names = Object.keys(shapes)
    const parameters = Object.fromEntries(names.map((name) => [name, state[name]!]))
    const logits = forward(parameters, ids!, [batch, context])
    const loss = ops.mean(ops.crossEntropy(logits, targets!)) // −ln of the probability of the byte that came next
    const gradients = Gradient.grad(loss, Object.values(parameters))
    const named = Object.fromEntries(names.map((name, i) => [name, gradients[i]!]))
    const learningRate = Tensor.scalar(0.01)
    const next = Optimizer.step(optimizer, named, { state, parameters, step: step!, learningRate })
    return { state: { ...next.parameters, ...next.state }, outputs: { loss } }
  }
})

const predict = Program.make({
  name: "predict",
  state: parameterTypes,
  inputs: { ids: { dtype: "int32", shape: [1, context] } },
  build: (state, { ids }) => ({ outputs: { logits: forward(state, ids!, [1, context]) } })
})

const int32 = (shape: ReadonlyArray<number>, data: Int32Array) => ({ dtype: "int32" as const, shape, data })
const float32 = (shape: ReadonlyArray<number>, value: () => number) => ({
  dtype: "float32" as const,
  shape,
  data: Float32Array.from({ length: Tensor.sizeOf(shape) }, value)
})

const program = Effect.gen(function* () {
  const backend = yield* Backend
  const model = yield* backend.compile({ learn: yield* learn, predict: yield* predict })

  // Parameters start as small random numbers, the state of the optimizer as zeros.
  const random = new PCGRandom(1)
  const types = { ...parameterTypes, ...optimizer.state(parameterTypes) }
  const first = Object.entries(types).map(([name, { shape }]) => {
    const value = () => (name in shapes ? (random.number() - 0.5) * 0.2 : 0)
    return [name, float32(shape, value)] as const
  })
  yield* model.writeState(Object.fromEntries(first))

  for (let step = 1; step <= 400; step++) {
    const ids = new Int32Array(batch * context)
    const targets = new Int32Array(batch * context)
    for (let row = 0; row < batch; row++) {
      const start = random.integer(bytes.length - context - 1)
      ids.set(bytes.subarray(start, start + context), row * context)
      targets.set(bytes.subarray(start + 1, start + context + 1), row * context)
    }
    const { loss } = yield* model.run("learn", {
      ids: int32([batch, context], ids),
      targets: int32([batch * context], targets),
      step: float32([], () => step)
    })
    if (step === 1 || step % 100 === 0) yield* Console.log(`step ${step}  loss ${loss!.data[0]!.toFixed(3)}`)
  }

  // Generate: always take the most probable byte.
  let written = [...new TextEncoder().encode("Twinkle, twinkle, little star, h")]
  for (let i = 0; i < 84; i++) {
    const ids = int32([1, context], Int32Array.from(written.slice(-context)))
    const { logits } = yield* model.run("predict", { ids })
    const last = Array.from(logits!.data.subarray((context - 1) * vocabulary))
    written = [...written, last.indexOf(Math.max(...last))]
  }
  yield* Console.log(new TextDecoder().decode(Uint8Array.from(written)))
}).pipe(Effect.scoped, Effect.provide(OnnxBackend.layer({ threads: 1 })))

NodeRuntime.runMain(program)
