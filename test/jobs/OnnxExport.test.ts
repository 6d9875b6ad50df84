/**
 * Exported ONNX files, run by a bare onnxruntime-node session with many shapes.
 *
 * Oracles: PyTorch's logits of a small GPT-2 and a small Llama (test/fixtures/decoder-*.json, made by test/oracles/decoder.py) for
 * every batch, length and padding; for other models the graph of one fixed length. Needs the CPU.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { InferenceSession, Tensor } from "onnxruntime-node"
import { afterAll, describe, expect, it } from "vitest"
import type { TensorDatas } from "../../src/core/Backend.ts"
import { type Architecture, Model } from "../../src/core/Model.ts"
import * as Module from "../../src/core/tensor/Module.ts"
import type { OnnxGraph } from "../../src/core/tensor/OnnxGraph.ts"
import { reshape } from "../../src/core/tensor/ops/broadcast.ts"
import { add } from "../../src/core/tensor/ops/elementwise.ts"
import { constant, type TensorData } from "../../src/core/tensor/Tensor.ts"
import { initialParameters } from "../../src/core/training/TrainingPrograms.ts"
import * as OnnxExport from "../../src/jobs/OnnxExport.ts"
import { architectureOf } from "../../src/plugins/models/decoder/Architecture.ts"
import { DecoderConfig, resolve } from "../../src/plugins/models/decoder/DecoderConfig.ts"
import { encode } from "../../src/services/backend/onnx/OnnxModel.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-onnx-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const decoder = (config: typeof DecoderConfig.Encoded) =>
  architectureOf(resolve(Schema.decodeSync(DecoderConfig)(config)), 31)

const sessionOf = async (graph: Effect.Effect<OnnxGraph, Error>) =>
  InferenceSession.create(await Effect.runPromise(Effect.flatMap(graph, encode)), { intraOpNumThreads: 1 })

/** Logits of every position, [B][T][V]. */
const run = async (session: InferenceSession, tokens: ReadonlyArray<ReadonlyArray<number>>) => {
  const [batch, length] = [tokens.length, tokens[0]!.length]
  const ids = new Tensor("int64", BigInt64Array.from(tokens.flat(), BigInt), [batch, length])
  const { logits } = await session.run({ input_ids: ids })
  expect(logits?.dims).toEqual([batch, length, 31])
  const values = Array.from(logits?.data ?? [], Number)
  return tokens.map((_, b) => tokens[0]!.map((_, t) => values.slice((b * length + t) * 31, (b * length + t + 1) * 31)))
}

const expectClose = (got: ReadonlyArray<number>, want: ReadonlyArray<number>) => {
  expect(got).toHaveLength(want.length)
  for (const [i, value] of got.entries()) {
    expect(Math.abs(value - want[i]!)).toBeLessThan(1e-4 * Math.max(1, Math.abs(want[i]!)))
  }
}

const Fixture = Schema.parseJson(
  Schema.Struct({
    parameters: Schema.Record({
      key: Schema.String,
      value: Schema.Union(Schema.Array(Schema.Number), Schema.Array(Schema.Array(Schema.Number)))
    }),
    tokens: Schema.Array(Schema.Array(Schema.Number)),
    logits: Schema.Array(Schema.Array(Schema.Array(Schema.Number)))
  })
)

const families = {
  gpt2: { model_type: "gpt2", num_attention_heads: 4 },
  llama: { model_type: "llama", num_attention_heads: 4, num_key_value_heads: 2, intermediate_size: 24 }
} as const

describe.each(["gpt2", "llama"] as const)("a %s", (family) => {
  const path = new URL(`../fixtures/decoder-${family}.json`, import.meta.url)
  const fixture = Schema.decodeSync(Fixture)(readFileSync(path, "utf8"))
  const architecture = decoder({
    ...families[family],
    hidden_size: 16,
    num_hidden_layers: 2,
    max_position_embeddings: 8
  })
  const parameters: TensorDatas = Object.fromEntries(
    Object.entries(architecture.parameters).map(([name, { shape }]) => [
      name,
      { dtype: "float32", shape, data: Float32Array.from(fixture.parameters[name]!.flat()) }
    ])
  )

  it("has PyTorch's logits for every batch and length, and where rows are padded at their end", async () => {
    const session = await sessionOf(OnnxExport.dynamicForwardGraph(architecture, parameters))
    const [input] = session.inputMetadata
    expect(input).toMatchObject({ name: "input_ids", type: "int64", shape: ["batch", "sequence"] })
    const { logits, tokens } = fixture
    const check = async (rows: ReadonlyArray<number>, lengths: ReadonlyArray<number>, width: number) => {
      const batch = rows.map((row, i) => [
        ...tokens[row]!.slice(0, lengths[i]!),
        ...Array(width - lengths[i]!).fill(30)
      ])
      const got = await run(session, batch)
      rows.forEach((row, i) => {
        for (let t = 0; t < lengths[i]!; t++) expectClose(got[i]![t]!, logits[row]![t]!)
      })
    }
    for (let length = 1; length <= 7; length++) {
      await check([0], [length], length)
      await check([1, 0], [length, length], length)
    }
    // Three rows of 7, 1 and 4 tokens, up to the longest sequence of the model.
    await check([0, 1, 1], [7, 1, 4], 8)
    await session.release()
  })
})

/** The dynamic graph against that of each fixed length. */
const agrees = async (architecture: Architecture) => {
  const parameters = initialParameters(architecture.parameters, 1)
  const session = await sessionOf(OnnxExport.dynamicForwardGraph(architecture, parameters))
  const tokens = Array.from({ length: architecture.contextLength }, (_, i) => (i * i + 3) % 31)
  for (const length of new Set([1, 2, tokens.length - 1, tokens.length])) {
    if (length < 1 || length > tokens.length) continue
    const fixed = await sessionOf(OnnxExport.forwardGraph(architecture, parameters, length))
    const row = tokens.slice(0, length)
    const [want] = await run(fixed, [row])
    for (const got of await run(session, [row, row, row])) expectClose(got.flat(), want!.flat())
    expect(await run(session, [row])).toEqual([want])
    await fixed.release()
  }
  await session.release()
}

describe("any model", () => {
  const small = { hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2 } as const
  // Contexts that are sizes of the model too, such as 16 and 31.
  for (const context of [1, 2, 3, 4, 5, 16, 17]) {
    it(`with a context of ${context} gives the numbers of the fixed graphs`, () =>
      agrees(
        decoder({
          ...small,
          model_type: "gpt2",
          position_embedding: context % 2 === 0 ? "rotary" : "learned",
          norm: "rms_norm",
          hidden_act: "relu2",
          bias: false,
          max_position_embeddings: context
        })
      ))
  }

  const plugin = (forward: (tokens: number, length: number) => TensorData) =>
    Effect.runSync(
      Model.make({
        name: "bigram",
        contextLength: 6,
        architecture: ({ vocabularySize }) => {
          const table = Module.embedding("table", { rows: vocabularySize, width: vocabularySize, std: 1 })
          return {
            parameters: table.parameters,
            forward: (p, tokens) => {
              const [batch, length] = [tokens.shape[0]!, tokens.shape[1]!]
              const shift = constant(forward(batch * length, length))
              return add(reshape(table.apply(p, tokens), [batch * length, vocabularySize]), shift)
            }
          }
        }
      }).architecture({ vocabularySize: 31 })
    )

  it("of a plugin that builds its graph from other operators does too", () =>
    agrees(plugin(() => ({ dtype: "float32", shape: [1], data: Float32Array.of(0.5) }))))

  it("whose constants depend on the length is refused, and can be exported for one length", async () => {
    const model = plugin((rows, length) => ({
      dtype: "float32",
      shape: [rows, 1],
      data: Float32Array.from({ length: rows }, (_, i) => Math.sin(i % length))
    }))
    const parameters = initialParameters(model.parameters, 1)
    const error = await Effect.runPromise(Effect.flip(OnnxExport.dynamicForwardGraph(model, parameters)))
    expect(error.message).toBe(
      "The model cannot be exported for every batch and length: a constant of an operator Add depends on the batch or the " +
        "length in its own way. Export it for one sequence of a fixed length with --length (in code, the option length)."
    )
    const fixed = await sessionOf(OnnxExport.forwardGraph(model, parameters, 4))
    expect(await run(fixed, [[1, 2, 3, 4]])).toHaveLength(1)
    await fixed.release()
  })
})

describe("exportOnnx", () => {
  const architecture = decoder({
    hidden_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    max_position_embeddings: 4
  })
  const parameters = initialParameters(architecture.parameters, 1)
  const write = (options: Partial<Parameters<typeof OnnxExport.exportOnnx>[0]>) =>
    OnnxExport.exportOnnx({ architecture, parameters, path: join(folder, "model.onnx"), ...options }).pipe(
      Effect.provide(NodeContext.layer)
    )

  it("replaces no file unless it is told to, and refuses lengths that the model does not have", async () => {
    writeFileSync(join(folder, "model.onnx"), "mine")
    const refused = await Effect.runPromise(Effect.flip(write({})))
    expect(refused.message).toBe(
      `${folder}/model.onnx could not be written: there is already a file of that name. ` +
        "Choose another path, or replace the file with --force (in code, the option force)."
    )
    expect(readFileSync(join(folder, "model.onnx"), "utf8")).toBe("mine")
    for (const length of [0, 5, Number.NaN, Number.POSITIVE_INFINITY, 1.5]) {
      expect((await Effect.runPromise(Effect.flip(write({ force: true, length })))).message).toBe(
        `The length ${length} is not between 1 and the model's longest, 4. Choose another --length.`
      )
    }
    expect((await Effect.runPromise(Effect.flip(write({ path: folder })))).message).toContain(
      "it is a directory. Name a file in it."
    )
    const { bytes, length } = await Effect.runPromise(write({ force: true }))
    expect([readFileSync(join(folder, "model.onnx")).length, length]).toEqual([bytes, undefined])
  })
})
