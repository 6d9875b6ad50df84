/**
 * Runs the suites of webgpu/ in their own process and checks how it ended: native resources that are released
 * in the wrong order abort at exit, after every test has passed.
 * Oracles: those of the suites, and the exit status. Needs SwiftShader (swiftshader.ts).
 */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "vitest"
import { full } from "../../../full.ts"
import * as Swiftshader from "./swiftshader.ts"

const vitest = (environment: NodeJS.ProcessEnv): Promise<{ readonly code: number | null; readonly output: string }> =>
  new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [
        "node_modules/vitest/vitest.mjs",
        "run",
        "--config",
        "test/services/backend/onnx/webgpu/vitest.config.ts",
        "--no-color"
      ],
      { env: environment, stdio: ["ignore", "pipe", "pipe"] }
    )
    let output = ""
    const collect = (chunk: Buffer) => {
      output += chunk.toString()
    }
    child.stdout.on("data", collect)
    child.stderr.on("data", collect)
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, output }))
  })

it("the suites on WebGPU pass, and their process ends in order", async (context) => {
  if (!full) return context.skip("only in test:full")
  if (!Swiftshader.isInstalled) return context.skip(Swiftshader.absence)
  const runtimeFolder = mkdtempSync(join(tmpdir(), "codex-webgpu-"))
  try {
    const { code, output } = await vitest(Swiftshader.environment(runtimeFolder))
    expect(code, output).toBe(0)
    expect(output).toMatch(/Tests {2}\d\d passed \(\d+\)/)
    expect(output).not.toMatch(/failed|skipped/)
  } finally {
    rmSync(runtimeFolder, { recursive: true, force: true })
  }
})
