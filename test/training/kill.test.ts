/**
 * `kill -9` at ten random moments, each followed by a resume: the run ends with the bytes of one that was never killed.
 * The moments are drawn by a seed: after a random event, and some milliseconds later, so that they fall into updates,
 * evaluations, and the writing of checkpoints and metrics. Needs child processes and CPU sessions.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { PCGRandom } from "effect/Utils"
import { build } from "esbuild"
import { afterAll, beforeAll, describe } from "vitest"
import { root } from "../../scripts/build.mjs"
import { type Child, node } from "../cli/children.ts"
import { inFull } from "../full.ts"
import { checkpointOf, metricsOf, prepare, runOf, trainIn } from "./run.ts"
import * as Tiny from "./tiny.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-kill-"))
// Bundled, because most of a child's time is the loading of modules; here, because it must find onnxruntime-node.
const bundle = join(realpathSync(join(root, "node_modules")), ".cache", `codex-kill-${process.pid}`)

beforeAll(async () => {
  await build({
    absWorkingDir: root,
    entryPoints: { run: "test/training/run.ts", OnnxWorker: "src/services/backend/onnx/OnnxWorker.ts" },
    outdir: bundle,
    bundle: true,
    format: "esm",
    platform: "node",
    external: ["onnxruntime-node", "onnxruntime-web"],
    banner: { js: 'import { createRequire as own } from "node:module"; const require = own(import.meta.url);' },
    logLevel: "silent"
  })
  writeFileSync(join(bundle, "package.json"), '{ "type": "module" }')
})

afterAll(() => {
  for (const each of [folder, bundle]) rmSync(each, { recursive: true, force: true })
})

const child = (own: string): Child => node([join(bundle, "run.js"), own])

const resultOf = (own: string) => ({
  checkpoint: checkpointOf(own).slice(-13),
  metrics: metricsOf(own),
  ...Object.fromEntries(
    ["model.safetensors", "optimizer.safetensors", "state.json"].map((file) => [
      file,
      Tiny.sha256(join(checkpointOf(own), file))
    ])
  )
})

/** Kills a child `millis` after it has printed `events` events of training; false when it ended before. */
const killAfter = (child: Child, events: number, millis: number): Promise<boolean> => {
  let printed = ""
  child.process.stdout?.on("data", (data: Buffer) => {
    printed += data.toString()
    const count = printed.split("\n").filter((line) => /^(Step|Evaluated|Checkpoint)/.test(line)).length
    if (count >= events) setTimeout(() => child.process.kill("SIGKILL"), millis)
  })
  return child.finished.then(({ code, signal, stderr }) => {
    if (signal !== "SIGKILL" && code !== 0) throw new Error(stderr)
    return signal === "SIGKILL"
  })
}

describe("kill -9", () => {
  const kills = inFull(10, 2)
  it.live(`at ${kills} random moments changes no byte of what a run ends with`, () =>
    Effect.gen(function* () {
      const whole = prepare(join(folder, "whole"), { max_steps: 48 })
      yield* trainIn(whole)

      const killed = prepare(join(folder, "killed"), { max_steps: 48 })
      const random = new PCGRandom(11)
      for (let i = 0; i < kills; i++) {
        const [events, millis] = [random.integer(16), random.number() * 8]
        const process = child(killed)
        expect(yield* Effect.promise(() => killAfter(process, events, millis)), `kill ${i}`).toBe(true)
      }
      // It was really stopped on the way, without its lock being released.
      expect(existsSync(join(runOf(killed), ".lock"))).toBe(true)
      const stopped = JSON.parse(readFileSync(join(checkpointOf(killed), "state.json"), "utf8"))
      expect(stopped.finished).toBe(null)
      expect(stopped.step).toBeGreaterThan(0)

      const { state } = yield* trainIn(killed)
      expect(state.finished).toBe("completed")
      expect(resultOf(killed)).toEqual(resultOf(whole))
      expect(metricsOf(whole)).toHaveLength(58)
      expect(readdirSync(runOf(killed)).filter((name) => name.startsWith(".lock"))).toEqual([])
    })
  )

  it.live("leaves a lock that blocks no process, while a running process blocks all others", () =>
    Effect.gen(function* () {
      const own = prepare(join(folder, "locked"), { max_steps: 100_000 })
      const writer = child(own)
      yield* Effect.promise(() => writer.said("Step 3"))
      const error = yield* Effect.flip(trainIn(own))
      expect(error).toMatchObject({ _tag: "RunError", reason: "Locked" })
      expect(error.message).toContain(`Process ${writer.process.pid} is writing`)
      writer.process.kill("SIGKILL")
      yield* Effect.promise(() => writer.finished)
      // The same run, shorter: it ends after one more update.
      const { step } = JSON.parse(readFileSync(join(checkpointOf(own), "state.json"), "utf8"))
      prepare(own, { max_steps: step + 1 })
      const { state } = yield* trainIn(own)
      expect(state.finished).toBe("completed")
    })
  )
})
