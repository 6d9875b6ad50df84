/**
 * Bundles programs in TypeScript that import codex, so that they start in a fifth of the processor time that tsx takes.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { build } from "esbuild"
import { root } from "../scripts/build.mjs"

export interface Bundle {
  /** The JavaScript of a program, by the name of its file. */
  readonly pathOf: (file: string) => string
  readonly remove: () => void
}

/** `codex-ml` is the sources, so that no test depends on an old build. */
export const bundlePrograms = async (files: ReadonlyArray<string>): Promise<Bundle> => {
  // Where packages in node_modules are found from.
  const cache = join(realpathSync(join(root, "node_modules")), ".cache")
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, "codex-tests-"))
  symlinkSync(join(root, "configs"), join(folder, "configs"))
  const nameOf = (file: string) => file.replaceAll(/[^\w-]/g, "_")
  await build({
    absWorkingDir: root,
    entryPoints: {
      ...Object.fromEntries(files.map((file) => [`programs/${nameOf(file)}`, file])),
      OnnxWorker: "src/services/backend/onnx/OnnxWorker.ts",
      EncodeWorker: "src/services/runs/EncodeWorker.ts"
    },
    alias: {
      "codex-ml": join(root, "src/index.ts"),
      "codex-ml/logs": join(root, "src/logs.ts"),
      "codex-ml/tokenizers": join(root, "src/tokenizers.ts")
    },
    outdir: folder,
    chunkNames: "chunks/[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    external: ["onnxruntime-node", "onnxruntime-web", "better-sqlite3"],
    banner: { js: 'import { createRequire as own } from "node:module"; const require = own(import.meta.url);' },
    logLevel: "silent"
  })
  return {
    pathOf: (file) => join(folder, "programs", `${nameOf(file)}.js`),
    remove: () => rmSync(folder, { recursive: true, force: true })
  }
}
