/** The version of this package, as manifests of runs and `codex --version` name it. A test compares it with package.json. */
export const version = "0.1.0"
