/**
 * A plugin's package that is a link, as `npm install ../plugin` makes it, in a project that has codex-ml installed: nothing above
 * the package's real folder has codex-ml or effect. Oracle: the bytes that the plugin encodes, and Node's own resolution, which
 * fails for the same file.
 */
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, describe, expect, it } from "vitest"
import { install } from "../../installed.ts"

const project = install()
const plugin = realpathSync(mkdtempSync(join(tmpdir(), "codex-linked-")))
afterAll(() => {
  for (const directory of [project.directory, plugin]) rmSync(directory, { recursive: true, force: true })
})

const manifest = (plugins: object) => ({
  name: "codex-linked",
  version: "1.0.0",
  type: "module",
  peerDependencies: { "codex-ml": "*", effect: "^3.19.0" },
  codex: { api: 1, plugins }
})
writeFileSync(
  join(plugin, "package.json"),
  JSON.stringify(manifest({ "tokenizer/linked": "./plugin.js#Linked", "tokenizer/crash": "./crash.js#Crash" }))
)
const source = (name: string, exported: string, encode: string) => `
import { Plugin, Tokenizer } from "codex-ml"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export const ${exported} = Plugin.make(Tokenizer.kind, "${name}", {
  description: "one token for everything",
  config: Schema.Struct({}),
  make: () =>
    Effect.succeed(
      Tokenizer.make({ vocabularySize: 8, encode: ${encode}, decode: () => Effect.succeed(""), token: () => "a" })
    )
})
`
writeFileSync(join(plugin, "plugin.js"), source("linked", "Linked", "(text) => Int32Array.of(text.length)"))
writeFileSync(join(plugin, "crash.js"), source("crash", "Crash", "(text) => Int32Array.of(text.nothing.length)"))
mkdirSync(join(project.directory, "node_modules"), { recursive: true })
symlinkSync(plugin, join(project.directory, "node_modules/codex-linked"), "dir")
writeFileSync(
  join(project.directory, "package.json"),
  JSON.stringify({ type: "module", dependencies: { "codex-linked": "file:../codex-linked" } })
)

describe("a package that is a link", () => {
  it("finds codex-ml and effect in the project, where Node alone does not", async () => {
    const url = pathToFileURL(join(project.directory, "node_modules/codex-linked/plugin.js")).href
    const alone = await project.run(`await import(${JSON.stringify(url)})`)
    expect(alone.stderr).toContain("Cannot find package 'codex-ml'")
    const { code, stderr, stdout } = await project.codex("tokenizer", "encode", "--tokenizer", "linked", "hello")
    expect([code, stderr, stdout.trim()]).toEqual([0, "", "5"])
  })

  it("is named by an error in its code, which is not called a bug of codex", async () => {
    const { code, stderr } = await project.codex("tokenizer", "encode", "--tokenizer", "crash", "hello")
    expect([code, stderr]).toEqual([
      1,
      "tokenizer \"crash\" (codex-linked@1.0.0) failed in encode: Cannot read properties of undefined (reading 'length'). " +
        "This is an error in codex-linked@1.0.0: report it to its author. Run it again with --debug for a trace.\n"
    ])
    const line = readFileSync(join(project.directory, ".codex/errors.ndjson"), "utf8").trimEnd().split("\n").at(-1)
    expect(JSON.parse(line ?? "").error).toMatchObject({
      tag: "PluginFault",
      fields: { kind: "tokenizer", name: "crash", origin: "codex-linked@1.0.0", member: "encode" },
      trace: expect.stringContaining(join(plugin, "crash.js"))
    })
  })
})
