/**
 * `codex plugins list` in a real child, in this repository and in a project with its own plugin.
 *
 * Oracle: the files of src/plugins, and a package.json written here.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { root } from "../../scripts/build.mjs"
import { codex, node } from "./children.ts"

describe("codex plugins list", () => {
  it("prints a table of one kind", async () => {
    const { code, stdout, stderr } = await codex("plugins", "list", "--kind", "tokenizer")
    expect([code, stderr]).toEqual([0, ""])
    const [head, ...rows] = stdout.trimEnd().split("\n")
    expect(head).toMatch(/^kind +name +from +description$/)
    const cells = rows.map((row) => row.split(/ +/).slice(0, 3))
    expect(cells.map(([kind, , from]) => [kind, from])).toEqual(rows.map(() => ["tokenizer", "codex"]))
    const names = cells.map(([, name]) => name)
    expect(names).toEqual(
      expect.arrayContaining(["bert", "bpe", "byte", "huggingface", "sentencepiece", "tiktoken", "whitespace"])
    )
    expect(names).toEqual([...names].sort())
  })

  it("prints one JSON document with the schema of each config", async () => {
    const { code, stdout } = await codex("plugins", "list", "--json")
    expect([code, stdout.split("\n")]).toEqual([0, [expect.any(String), ""]])
    const bpe = JSON.parse(stdout).find((plugin: { key: string }) => plugin.key === "tokenizer/bpe")
    expect(bpe.config.properties).toHaveProperty("path")
  })

  it("refuses a kind that is mistyped", async () => {
    const { code, stderr } = await codex("plugins", "list", "--kind", "tokenzer")
    expect(code).toBe(2)
    expect(stderr).toMatch(/^Unknown kind of plugin "tokenzer"\. Did you mean tokenizer\? Available: .*model.*\n$/)
  })

  it("lists the plugins of a declared dependency without importing them", async () => {
    const project = mkdtempSync(join(tmpdir(), "codex-project-"))
    try {
      const home = join(project, "node_modules/codex-emoji")
      mkdirSync(home, { recursive: true })
      writeFileSync(join(project, "package.json"), JSON.stringify({ dependencies: { "codex-emoji": "1.0.0" } }))
      const codexSection = { api: 1, plugins: { "tokenizer/emoji": "./plugin.js#Emoji" } }
      writeFileSync(
        join(home, "package.json"),
        JSON.stringify({ name: "codex-emoji", version: "1.0.0", codex: codexSection })
      )
      writeFileSync(join(home, "plugin.js"), "throw new Error('imported')")
      const words = [join(root, "dist/bin.js"), "plugins", "list", "--kind", "tokenizer"]
      const { code, stdout, stderr } = await node(words, {}, project).finished
      expect([code, stderr]).toEqual([0, ""])
      expect(stdout).toMatch(/^tokenizer +emoji +codex-emoji@1\.0\.0$/m)
    } finally {
      rmSync(project, { recursive: true, force: true })
    }
  })
})
