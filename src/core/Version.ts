/** The version of this package, for manifests of runs and `codex --version`. A test compares it with package.json. */
/** The version of this package, as in its package.json. */
export const version = "0.1.0"
