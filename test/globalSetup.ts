/**
 * Bundles the command if a source file is newer, so that tests which start `dist/bin.js` test the current sources.
 *
 * If bundling fails, the tests of the command fail, and the other tests still run.
 */
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { bundle, root } from "../scripts/build.mjs"

const modified = (file: string): number => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0

export default async function setup(): Promise<void> {
  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).map((file) =>
    join(root, "src", file)
  )
  const newest = Math.max(modified(join(root, "scripts/build.mjs")), ...sources.map(modified))
  if (modified(join(root, "dist/bin.js")) > newest) return
  try {
    await bundle()
  } catch (error) {
    console.error(`The command does not bundle: ${String(error)}`)
  }
}
