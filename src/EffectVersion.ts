/**
 * Whether the `effect` that this package finds is one that it runs on.
 *
 * Checked by the entries of the package (scripts/build.mjs) before they load anything else: on effect 4, whose modules have
 * other names, the first import would fail with the path of a missing file. Nothing here imports effect.
 */
import { createRequire } from "node:module"
import { effectProblem } from "./core/Version.ts"

/** Fails with the problem of the version as an Error without a stack: there is no Effect yet that could carry it. */
export const check = (): void => {
  const { version }: { readonly version: string } = createRequire(import.meta.url)("effect/package.json")
  const message = effectProblem(version)
  if (message === undefined) return
  const error = new Error(message)
  error.stack = message
  throw error
}
