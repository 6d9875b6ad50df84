/**
 * Starts a thread from a file of src/services, wherever this code runs: sources, tsc's output or the bundled command.
 *
 * A Worker needs a file, so each thread's entry is an entry of the build too (scripts/build.mjs).
 */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"
import { Worker } from "node:worker_threads"

/**
 * `module` is relative to src/services, without extension; `name` is what debuggers show; the thread finds a copy of `data`
 * as `workerData`. Throws as `new Worker` does.
 */
export const spawn = (module: string, name: string, data?: unknown): Worker => {
  const url = locate(module)
  if (!url.pathname.endsWith(".ts")) return new Worker(url, { name, workerData: data })
  // Only someone who works on codex itself runs the TypeScript sources. `--import tsx` does not reach a worker thread.
  const tsx = createRequire(import.meta.url).resolve("tsx/cjs/api")
  const entry = `require(${JSON.stringify(tsx)}).register(); require(${JSON.stringify(fileURLToPath(url))})`
  return new Worker(entry, { name, workerData: data, eval: true, execArgv: [] })
}

/**
 * In the sources and in tsc's output the entry is where it is in src/services; in a bundle this code may sit in
 * `dist/bin.js` or `dist/chunks/*.js`, and the entry is in `dist/`.
 */
const locate = (module: string): URL => {
  const bundled = `${basename(module)}.js`
  const places = [`../${module}.ts`, `../${module}.js`, `./${bundled}`, `../${bundled}`]
  const urls = places.map((place) => new URL(place, import.meta.url))
  return urls.find((url) => existsSync(fileURLToPath(url))) ?? urls[1]!
}
