/** The files of results with many writers at once. Oracle: the lines on disk. Needs the file system. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterAll } from "vitest"
import * as RunEvaluation from "../../src/jobs/RunEvaluation.ts"
import { RunStore } from "../../src/services/runs/RunStore.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-records-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it.live("eight evaluations at once write one header and eight rows, and no null for what a text does not have", () =>
  Effect.gen(function* () {
    const result = { metric: "loss", value: 2, stderr: undefined, unit: "nats/token", direction: "lower" } as const
    yield* Effect.forEach(Array.from({ length: 8 }), (_, i) => RunEvaluation.record(`run-${i}`, 1, "x", [result]), {
      concurrency: "unbounded"
    })
    const read = (file: string) =>
      readFileSync(join(folder, "eval", file), "utf8")
        .trim()
        .split("\n")
    const csv = read("metrics.csv")
    expect(csv).toHaveLength(9)
    expect(csv.filter((line) => line === "time,run,step,data,metric,value,stderr,unit")).toEqual([csv[0]])
    expect(read("metrics.ndjson")).toHaveLength(8)
    expect(read("metrics.ndjson").join()).not.toContain("null")
    expect(readdirSync(join(folder, "eval")).sort()).toEqual(["metrics.csv", "metrics.ndjson"])
  }).pipe(Effect.provide(RunStore.layer(folder).pipe(Layer.provideMerge(NodeContext.layer))))
)
