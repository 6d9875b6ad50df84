/** The version of this package, for manifests of runs and `codex --version`, and the versions that it needs. Imports nothing. */

/** The version of this package, as in its package.json. A test compares the two. */
export const version = "0.1.0"

/** The oldest Node that this package runs on, as in its package.json. */
export const node = "20.19"

/** Whether a version of Node is recent enough. */
export const isNodeSupported = (found: string): boolean => {
  const [major = 0, minor = 0] = found.split(".").map(Number)
  const [leastMajor = 0, leastMinor = 0] = node.split(".").map(Number)
  return major > leastMajor || (major === leastMajor && minor >= leastMinor)
}

/** The versions of effect that this package runs on: 3.19 and later 3.x. */
const isEffectSupported = (found: string): boolean => {
  const [major, minor] = found.split(".").map(Number)
  return major === 3 && minor !== undefined && minor >= 19
}

/**
 * What is wrong with a version of effect, in one sentence with the remedy; undefined when it is supported.
 *
 *     effectProblem("4.1.0") // codex-ml needs effect 3.19 or a later 3.x, and this project has effect 4.1.0; run: npm install effect@3
 */
export const effectProblem = (found: string): string | undefined =>
  isEffectSupported(found)
    ? undefined
    : `codex-ml needs effect 3.19 or a later 3.x, and this project has effect ${found}; run: npm install effect@3`
