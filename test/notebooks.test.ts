/**
 * The notebooks run from the first cell to the last, on the built package (`npm run build` first, as `npm test` does).
 *
 * Oracle: the cells, which throw if the model has learned nothing. Needs Debian's jupyter-nbconvert; skipped without it.
 */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { root } from "../scripts/build.mjs"
import { node } from "./cli/children.ts"
import { full } from "./full.ts"

const present = spawnSync("/usr/bin/jupyter-nbconvert", ["--version"], { stdio: "ignore" }).status === 0
const skipped = present
  ? full
    ? ""
    : " (skipped: only in test:full)"
  : " (skipped: /usr/bin/jupyter-nbconvert is not installed)"

describe.skipIf(skipped !== "")(`notebooks${skipped}`, () => {
  it("quickstart.ipynb trains, and prints what the model writes", async () => {
    expect(existsSync(join(root, "dist/index.js")), "run `npm run build` first").toBe(true)
    const { code, stderr } = await node(["scripts/notebooks.mjs"]).finished
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""])
    const { cells } = JSON.parse(readFileSync(join(root, "artifacts/notebooks/quickstart.ipynb"), "utf8"))
    const printed = cells.at(-1).outputs.flatMap((output: { text?: ReadonlyArray<string> }) => output.text ?? [])
    expect(printed.join("")).toMatch(/^Call me.{20,}/s)
  })
})
