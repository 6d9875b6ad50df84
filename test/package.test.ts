/**
 * What package.json promises, checked against the lock, the files and the versions. Oracle: npm's and codex's own rules.
 */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { root } from "../scripts/build.mjs"
import { version } from "../src/core/Version.ts"

const read = (file: string) => JSON.parse(readFileSync(join(root, file), "utf8"))
const manifest = read("package.json")
const lock = read("package-lock.json")
const groups = ["dependencies", "devDependencies", "peerDependencies", "overrides"]

describe("package.json", () => {
  it("has the version that the program says", () => expect(manifest.version).toBe(version))

  it("names every dependency by an exact version", () => {
    const ranges = groups.flatMap((group) =>
      Object.entries<string>(manifest[group] ?? {})
        .filter(([, wanted]) => !/^(npm:[\w@/.-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(wanted))
        .map(([name, wanted]) => `${group}: ${name}@${wanted}`)
    )
    expect(ranges).toEqual([])
  })

  it("agrees with the lock file, whose every package has an integrity", () => {
    for (const group of groups.slice(0, 3)) expect(lock.packages[""][group]).toEqual(manifest[group])
    const open = Object.entries<{ integrity?: string; link?: boolean; inBundle?: boolean }>(lock.packages)
      .filter(([path, entry]) => path !== "" && !entry.integrity && !entry.link && !entry.inBundle)
      .map(([path]) => path)
    expect(open).toEqual([])
  })

  it("develops against the versions that it asks its users to have", () => {
    for (const [name, wanted] of Object.entries(manifest.peerDependencies))
      expect(`${name}@${manifest.devDependencies[name]}`).toBe(`${name}@${wanted}`)
  })

  it("decides for every dependency with an install script whether it runs", () => {
    const scripted = Object.entries<{ hasInstallScript?: boolean }>(lock.packages)
      .filter(([, entry]) => entry.hasInstallScript)
      .map(([path]) => path.replace(/^.*node_modules\//, ""))
    // npm links the executable of fsevents on macOS only, where its script does nothing.
    expect(scripted.filter((name) => name !== "fsevents" && !(name in manifest.allowScripts))).toEqual([])
  })

  it("publishes the command, the library and nothing of the workshop", () => {
    const [{ files }] = JSON.parse(
      execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
        cwd: root,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"]
      })
    )
    const paths: ReadonlyArray<string> = files.map((file: { path: string }) => file.path)
    expect(paths).toContain("dist/bin.js")
    expect(paths.filter((path) => !/^(dist|configs)\/|^(README\.md|LICENSE|package\.json)$/.test(path))).toEqual([])
  })
})
