/**
 * Whether the `effect` that this package finds is one that it runs on.
 *
 * Checked by the entries of the package (scripts/build.mjs) before they load anything else: on effect 4, whose modules have
 * other names, the first import would fail with the path of a missing file. Nothing here imports effect.
 */
import { createRequire } from "node:module"

/** The versions of effect that codex-ml runs on: 3.19 and later 3.x. */
const isSupported = (version: string): boolean => {
  const [major, minor] = version.split(".").map(Number)
  return major === 3 && minor !== undefined && minor >= 19
}

/**
 * What is wrong with a version of effect, in one sentence with the remedy; undefined when it is supported.
 *
 *     problem("4.1.0") // codex-ml needs effect 3.19 or a later 3.x, and this project has effect 4.1.0; run: npm install effect@3
 */
export const problem = (version: string): string | undefined =>
  isSupported(version)
    ? undefined
    : `codex-ml needs effect 3.19 or a later 3.x, and this project has effect ${version}; run: npm install effect@3`

/** Fails with `problem` as an Error without a stack: there is no Effect yet that could carry it. */
export const check = (): void => {
  const { version }: { readonly version: string } = createRequire(import.meta.url)("effect/package.json")
  const message = problem(version)
  if (message === undefined) return
  const error = new Error(message)
  error.stack = message
  throw error
}
