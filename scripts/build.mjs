/**
 * Builds dist/: the library with tsc (one module a file, declarations, source maps), the command with esbuild.
 *
 * The command is bundled because its start-up time is mostly the loading of some three hundred small modules of Effect.
 * What a command needs only when it runs is behind `import()`, so it becomes a separate chunk and does not slow down
 * `codex --help`. Native modules and ONNX Runtime are not bundled. The threads that run ONNX Runtime and encode text are separate entries,
 * because a Worker needs a file, and so is the process that tries a device. The library's source maps name src/, which is published too; the bundle has none.
 *
 *     npm run generate && node scripts/build.mjs
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

const workers = {
  OnnxWorker: "src/services/backend/onnx/OnnxWorker.ts",
  EncodeWorker: "src/services/runs/EncodeWorker.ts",
  TrialProcess: "src/services/backend/onnx/TrialProcess.ts"
}

/**
 * esbuild puts modules into one chunk that the same entries reach, and each `import()` of a command is an entry: what every
 * start of the command loads would be in some thirty chunks. A module that a command imports when it runs gets an import of
 * main.ts, which is loaded by then, so that all entries reach what every start loads, and it is in a few chunks.
 */
const fewChunks = {
  name: "few-chunks",
  setup: ({ onLoad, onResolve }) => {
    onResolve({ filter: /^\./ }, ({ importer, kind, path, resolveDir }) =>
      kind === "dynamic-import" && importer.startsWith(join(root, "src/cli"))
        ? { path: join(resolveDir, path), pluginData: { isEntry: true } }
        : undefined
    )
    onLoad({ filter: /\.ts$/ }, async ({ path, pluginData }) =>
      pluginData?.isEntry
        ? {
            contents: `${await readFile(path, "utf8")}\nimport ${JSON.stringify(join(root, "src/cli/main.ts"))}`,
            loader: "ts"
          }
        : undefined
    )
  }
}

/**
 * Bundles the command and its threads and processes into dist/bin.js, dist/OnnxWorker.js, … and dist/chunks/. Old
 * chunks are kept, since a running command may still load one (their names contain hashes). A full build starts from an
 * empty dist/.
 */
export const bundle = async () => {
  await build({
    absWorkingDir: root,
    entryPoints: { bin: "src/bin.ts", ...workers },
    outdir: "dist",
    chunkNames: "chunks/[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    minifySyntax: true,
    minifyWhitespace: true,
    external: ["onnxruntime-node", "onnxruntime-web", "better-sqlite3"],
    plugins: [fewChunks],
    // Bundled CommonJS packages call `require` for Node's built-in modules.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);'
    },
    logLevel: "silent"
  })
}

/** The public modules of the library, by the names of their entries in dist/entry/. */
const modules = { index: "dist/index.js", logs: "dist/logs.js", tokenizers: "dist/tokenizers.js" }

/**
 * The entries that `import` finds: each checks the version of effect (src/EffectVersion.ts), then loads its module and
 * passes its names on. A plain `export *` would load the module, and so effect, before the check. `require`, which cannot
 * wait for a module, finds the module itself.
 */
const writeEntries = async () => {
  mkdirSync(join(root, "dist/entry"), { recursive: true })
  for (const [name, file] of Object.entries(modules)) {
    const { metafile } = await build({
      absWorkingDir: root,
      entryPoints: [file],
      bundle: true,
      packages: "external",
      format: "esm",
      platform: "node",
      write: false,
      metafile: true,
      outdir: "out",
      logLevel: "silent"
    })
    const names = Object.values(metafile.outputs).flatMap((output) => output.exports)
    const text = [
      'import { check } from "../EffectVersion.js"',
      "check()",
      `const module = await import("../${name}.js")`,
      ...names.map((exported) => `export const ${exported} = module.${exported}`)
    ]
    writeFileSync(join(root, "dist/entry", `${name}.js`), `${text.join("\n")}\n`)
    writeFileSync(join(root, "dist/entry", `${name}.d.cts`), `export * from "../${name}.js"\n`)
  }
}

/** Compiles the library: every file of src except the command. */
const compile = () => {
  const tsc = join(root, "node_modules/typescript-native/bin/tsc")
  const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" })
  return status === 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(join(root, "dist"), { recursive: true, force: true })
  if (!compile()) process.exit(1)
  await writeEntries()
  await bundle()
}
