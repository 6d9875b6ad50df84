/** Which checkpoints go. Oracle: the rule as its docstring states it, over random sets of steps. Needs nothing. */
import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import { CheckpointError, removable } from "../../../src/core/training/Checkpoint.ts"

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
