/**
 * The reference backend against the laws, and against numbers worked out by hand. Needs no session.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Backend } from "../../../src/core/Backend.ts"
import { add, mul } from "../../../src/core/tensor/ops/elementwise.ts"
import * as Program from "../../../src/core/tensor/Program.ts"
import * as ReferenceBackend from "../../../src/services/backend/ReferenceBackend.ts"
import { backendContract } from "../../../src/testing/backend.ts"

backendContract("ReferenceBackend", ReferenceBackend.layer)

describe("ReferenceBackend", () => {
  it.scoped("computes in float64 and hands out copies", () =>
    Effect.gen(function* () {
      const type = { dtype: "float32", shape: [2] } as const
      const program = yield* Program.make({
        name: "average",
        state: { s: type },
        inputs: { x: type },
        build: ({ s }, { x }) => ({ state: { s: add(s!, x!) }, outputs: { y: mul(s!, x!), s: s! } })
      })
      const backend = yield* Backend
      const executable = yield* backend.compile({ program })
      yield* executable.writeState({ s: { ...type, data: Float64Array.of(0.1, 3) } })
      const { s, y } = yield* executable.run("program", { x: { ...type, data: Float64Array.of(0.2, 5) } })
      expect(Array.from(y!.data)).toEqual([0.1 * 0.2, 15])
      s!.data.fill(7)
      expect(Array.from((yield* executable.readState()).s!.data)).toEqual([0.1 + 0.2, 8])
      expect(backend.info).toMatchObject({ device: "reference", threads: 1 })
    }).pipe(Effect.provide(ReferenceBackend.layer))
  )
})
