/**
 * Training on a backend against the reference in float64: the same losses over three optimizer steps and more, whatever the
 * threads. Oracle: the reference backend. Needs CPU sessions; WebGPU (SwiftShader) in a separate process.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describe } from "vitest"
import * as OnnxBackend from "../../src/services/backend/OnnxBackend.ts"
import * as ReferenceBackend from "../../src/services/backend/ReferenceBackend.ts"
import { node } from "../cli/children.ts"
import * as Swiftshader from "../services/backend/onnx/swiftshader.ts"
import { families, familiesOnGpu, lossesOf } from "./agreement.ts"

describe.each(families)("training of a small %s", (family) => {
  for (const threads of [1, 2]) {
    it.effect(`has the reference's losses on the CPU with ${threads} threads, repeated tokens and all`, () =>
      Effect.gen(function* () {
        const reference = yield* Effect.provide(lossesOf(family), ReferenceBackend.layer)
        const got = yield* Effect.provide(lossesOf(family), OnnxBackend.layer({ device: "cpu", threads }))
        expect(reference).toHaveLength(4)
        // Steps that change nothing would agree as well.
        expect(reference[3]!).toBeLessThan(reference[0]! - 0.2)
        for (const [i, loss] of reference.entries()) expect(Math.abs(got[i]! - loss)).toBeLessThan(1e-4)
      })
    )
  }
})

describe("training on WebGPU", () => {
  it("has the CPU's losses to 1e-3", async (context) => {
    if (!Swiftshader.isInstalled) return context.skip(Swiftshader.absence)
    const runtime = mkdtempSync(join(tmpdir(), "codex-webgpu-"))
    try {
      const environment = Object.fromEntries(
        Object.entries(Swiftshader.environment(runtime)).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, value] as const]
        )
      )
      const program = ["--import", "tsx", "test/training/agreement.ts"]
      const { code, stderr, stdout } = await node(program, environment).finished
      expect(code, stderr).toBe(0)
      const onGpu: unknown = JSON.parse(stdout.trim().split("\n").at(-1) ?? "")
      const onCpu = await Effect.runPromise(
        Effect.forEach(familiesOnGpu, (family) =>
          Effect.provide(lossesOf(family), OnnxBackend.layer({ device: "cpu", threads: 1 }))
        )
      )
      expect(onGpu).toMatchObject({ device: "webgpu" })
      const distances = onCpu.flat().map((loss, i) => Math.abs(loss - lossesIn(onGpu)[i]!))
      expect(distances).toHaveLength(4 * familiesOnGpu.length)
      for (const distance of distances) expect(distance).toBeLessThan(1e-3)
    } finally {
      rmSync(runtime, { recursive: true, force: true })
    }
  })
})

const lossesIn = (report: unknown): ReadonlyArray<number> =>
  typeof report === "object" && report !== null && "losses" in report && Array.isArray(report.losses)
    ? report.losses.flat().map(Number)
    : []
