/**
 * Which checkpoints are removed, and which fit a run. Oracle: the rules as their docstrings state them, over random sets of steps.
 * Needs nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import type { TensorDatas } from "../../../src/core/Backend.ts"
import {
  type Checkpoint,
  CheckpointError,
  isGood,
  modelFiles,
  removable,
  requireMatch,
  TrainState
} from "../../../src/core/training/Checkpoint.ts"

describe("modelFiles", () => {
  // Read by transformers 5.18: a key that is missing becomes 50256 for a GPT-2, and 1 and 2 for a Llama; null becomes None.
  it("names the tokens that end, begin and pad a text, and says of the others that there are none", () => {
    const files = modelFiles({ config: { model_type: "llama", vocab_size: 300 } }, { endOfText: 299 })
    expect(JSON.parse(files["config.json"] ?? "")).toEqual({
      model_type: "llama",
      vocab_size: 300,
      bos_token_id: null,
      eos_token_id: 299,
      pad_token_id: null
    })
    expect(files["generation_config.json"]).toBe('{\n  "eos_token_id": 299\n}\n')
    const all = modelFiles({ config: {} }, { startOfText: 1, endOfText: 2, padToken: 0 })
    const ids = { bos_token_id: 1, eos_token_id: 2, pad_token_id: 0 }
    for (const file of Object.values(all)) expect(JSON.parse(file)).toEqual(ids)
    expect(modelFiles({ config: {} })["generation_config.json"]).toBe("{}\n")
  })
})

describe("removable", () => {
  it("is all but the newest and the best", () => {
    expect(removable([100, 200, 300, 400], { keepLast: 2, best: 100 })).toEqual([200])
    expect(removable([100, 200, 300, 400], { keepLast: 2, best: 400 })).toEqual([100, 200])
    expect(removable([400, 100], { keepLast: 1, best: undefined })).toEqual([100])
    expect(removable([], { keepLast: 1, best: 3 })).toEqual([])
  })

  it("keeps exactly keepLast, and the best where there is one; at least the newest always", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.uniqueArray(FastCheck.nat(50)),
        FastCheck.integer({ min: 0, max: 6 }),
        FastCheck.option(FastCheck.nat(50), { nil: undefined }),
        (steps, keepLast, best) => {
          const removed = removable(steps, { keepLast, best })
          const kept = steps.filter((step) => !removed.includes(step)).sort((a, b) => b - a)
          const others = kept.filter((step) => step !== best)
          const bestIsThere = best !== undefined && steps.includes(best)
          expect(kept.includes(best ?? -1)).toBe(bestIsThere)
          expect(others.every((step) => removed.every((gone) => gone < step))).toBe(true)
          const newest = [...steps].sort((a, b) => b - a).slice(0, Math.max(1, keepLast))
          expect(kept).toHaveLength(new Set([...newest, ...(bestIsThere ? [best] : [])]).size)
          // Removing is done in one go: nothing is left to remove.
          expect(removable(kept, { keepLast, best })).toEqual([])
        }
      )
    )
  })
})

describe("a good checkpoint", () => {
  const tensors = (...values: ReadonlyArray<number>) => ({
    w: { dtype: "float32" as const, shape: [values.length], data: Float32Array.from(values) }
  })
  const good = (
    parameters: ReadonlyArray<number>,
    optimizer: ReadonlyArray<number>,
    ...losses: ReadonlyArray<number>
  ) => isGood({ parameters: tensors(...parameters), optimizer: tensors(...optimizer) }, { losses, vocabularySize: 256 })

  it("has finite numbers, no huge parameter, and a loss that is not far above ln V", () => {
    expect(good([1, -2], [1e12], 6.5, 2)).toBe(true)
    expect(good([1], [0], 1e6, 2)).toBe(false)
    for (const loss of [6.6, 1e30, Number.POSITIVE_INFINITY, Number.NaN]) expect(good([1], [0], loss)).toBe(false)
    for (const value of [1e30, -1e4, Number.NaN, Number.NEGATIVE_INFINITY]) expect(good([1, value], [0], 1)).toBe(false)
    expect(good([1], [Number.POSITIVE_INFINITY], 1)).toBe(false)
    expect(good([1], [Number.NaN, 1], 1)).toBe(false)
  })

  it("stays, besides the newest and the best", () => {
    expect(removable([100, 200, 300, 400], { keepLast: 1, best: 100, good: 200 })).toEqual([300])
  })
})

describe("CheckpointError", () => {
  it("says where, what, and what to do", () => {
    const error = new CheckpointError({
      reason: "Corrupt",
      path: "a/b",
      details: "It is corrupt.",
      remedy: "Use another."
    })
    expect(error.message).toBe("a/b: It is corrupt. Use another.")
  })
})

describe("requireMatch", () => {
  const tensor = (...shape: ReadonlyArray<number>) => ({
    dtype: "float32" as const,
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1))
  })
  const checkpoint = (parameters: TensorDatas, optimizer: TensorDatas): Checkpoint => ({
    state: new TrainState({ step: 7, seed: 1, tokens: 1, loss: 1, best: null, sinceBest: 0, finished: null }),
    parameters,
    optimizer,
    files: {},
    provenance: {}
  })
  const types = { parameters: { w: tensor(2, 3) }, optimizer: { "0/adam.mean/w": tensor(2, 3) } }
  const w = { w: tensor(2, 3) }

  it.effect("takes the names and shapes of the run", () =>
    requireMatch(checkpoint(w, { "0/adam.mean/w": tensor(2, 3) }), types)
  )

  it.effect.each([
    [checkpoint(w, {}), "Optimizer state 0/adam.mean/w is missing."],
    [
      checkpoint(w, { "adam.mean/w": tensor(2, 3) }),
      "Optimizer state 0/adam.mean/w is missing, but there is adam.mean/w."
    ],
    [
      checkpoint(w, { ...types.optimizer, "1/adam.mean/w": tensor(2, 3) }),
      "Optimizer state 1/adam.mean/w is not part of the run."
    ],
    [
      checkpoint(w, { "0/adam.mean/w": tensor(3, 2) }),
      "Optimizer state 0/adam.mean/w has the shape [3, 2] instead of [2, 3]."
    ],
    [checkpoint({ v: tensor(1) }, types.optimizer), "Parameter w is missing, but there is v."],
    [checkpoint({ w: tensor(6) }, types.optimizer), "Parameter w has the shape [6] instead of [2, 3]."]
  ] as const)("refuses %#: %s", ([saved, details]) =>
    Effect.map(Effect.flip(requireMatch(saved, types)), (error) => {
      expect(error).toMatchObject({ _tag: "CheckpointError", reason: "Mismatch", details })
      expect(error.message).toBe(
        `Checkpoint of step 7: ${details} ` +
          "Resume with the model, optimizer and version of codex that saved it, or start a new run."
      )
    })
  )

  it.effect("refuses a checkpoint of a version that orders the text in another way", () =>
    Effect.gen(function* () {
      const written = Schema.encodeSync(TrainState)(checkpoint(w, {}).state)
      expect(written.revision).toBe(2)
      // State files of codex 0.1 do not have the field.
      const { revision: _, ...first } = written
      const state = yield* Schema.decodeUnknown(TrainState)(first)
      const error = yield* Effect.flip(requireMatch({ ...checkpoint(w, types.optimizer), state }, types))
      expect(error.reason).toBe("Mismatch")
      expect(error.message).toContain("Checkpoint of step 7: It was written by an earlier version of codex")
      const later = new TrainState({ ...state, revision: 3 })
      const other = yield* Effect.flip(requireMatch({ ...checkpoint(w, types.optimizer), state: later }, types))
      expect(other.message).toContain("by a later version")
    })
  )
})
