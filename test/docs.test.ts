/**
 * The documentation is correct: its code compiles and runs, its links work, and the names in it exist.
 *
 * A block marked ```ts file=name is a file of the page's program. The files of a page are written to a folder, compiled
 * against the sources, and run: `*.test.ts` by vitest, and files whose output the page shows (```text output=name) by Node,
 * which must print exactly that. Oracles: the pages, and the contract suites that they call.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { basename, dirname, join, relative } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { parse } from "yaml"
import { root } from "../scripts/build.mjs"
import { type Bundle, bundlePrograms } from "./bundle.ts"
import { node, startProgram } from "./cli/children.ts"

const pages = [
  "README.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" }).map((name) => join("docs", name))
]
  .filter((page) => page.endsWith(".md"))
  .sort()
const textOf = (page: string) => readFileSync(join(root, page), "utf8")

interface Block {
  readonly page: string
  readonly mark: "file" | "output"
  readonly name: string
  readonly content: string
}

const blocks = pages.flatMap(
  (page): ReadonlyArray<Block> =>
    [...textOf(page).matchAll(/^```(?:js|ts|text) (file|output)=(\S+)\n([\s\S]*?)^```$/gm)].map(
      ([, mark, name = "", content = ""]) => ({ page, mark: mark === "file" ? "file" : "output", name, content })
    )
)
/** README.md shows its plugin without a test. */
const readmeTest: Block = {
  page: "README.md",
  mark: "file",
  name: "plugin.test.ts",
  content: `import { metricContract } from "codex-ml/testing"
import { CompressionRatio } from "./plugin.ts"

metricContract("compression_ratio", CompressionRatio.layer({}))
`
}
const shown = blocks.filter(({ mark }) => mark === "file")
const files = [...shown, readmeTest]
const tests = files.filter(({ name }) => /\.test\.[jt]s$/.test(name))
const outputs = blocks.filter(({ mark }) => mark === "output")

const directory = realpathSync(mkdtempSync(join(tmpdir(), "codex-docs-")))
const folderOf = (page: string) => join(directory, basename(page, ".md"))
const sources = {
  "codex-ml": join(root, "src/index.ts"),
  "codex-ml/logs": join(root, "src/logs.ts"),
  "codex-ml/testing": join(root, "src/testing/index.ts"),
  "codex-ml/tokenizers": join(root, "src/tokenizers.ts")
}
const tsconfig = join(directory, "tsconfig.json")

let bundle: Bundle
beforeAll(async () => {
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"))
  // codex-ml resolves to the sources, so that nothing here depends on an old build.
  const paths = Object.fromEntries(Object.entries(sources).map(([name, file]) => [name, [file]]))
  const include = [join(directory, "**/*.ts")]
  const options = { extends: join(root, "tsconfig.json"), compilerOptions: { paths, allowJs: true }, include }
  writeFileSync(tsconfig, JSON.stringify(options))
  writeFileSync(join(directory, "package.json"), JSON.stringify({ type: "module" }))
  const alias = Object.entries(sources).map(([name, replacement]) => ({ find: `^${name}$`, replacement }))
  writeFileSync(
    join(directory, "vitest.config.mjs"),
    `const alias = ${JSON.stringify(alias)}.map(({ find, replacement }) => ({ find: new RegExp(find), replacement }))
export default { resolve: { alias }, test: { include: ["**/*.test.{js,ts}"], testTimeout: 600000, pool: "forks", poolOptions: { forks: { isolate: false, singleFork: true } } } }\n`
  )
  for (const { content, name, page } of files) {
    mkdirSync(folderOf(page), { recursive: true })
    writeFileSync(join(folderOf(page), name), content)
  }
  const programs = outputs.map(({ name, page }) => join(folderOf(page), name))
  bundle = await bundlePrograms([...programs, join(folderOf("README.md"), "train.ts")])
})
afterAll(() => {
  bundle.remove()
  rmSync(directory, { recursive: true, force: true })
})

describe("the code of the pages", () => {
  it("is complete: a dataset, an operator, a model, a tracker, tokenizers, a plugin and a training", () => {
    const found = shown.map(({ name, page }) => `${page} ${name}`)
    expect(found).toEqual([
      "README.md train.ts",
      "README.md plugin.ts",
      "README.md use.ts",
      "docs/add-a-dataset.md stanzas.ts",
      "docs/add-a-dataset.md stanzas.test.ts",
      "docs/add-a-model.md bigram.ts",
      "docs/add-a-model.md bigram.test.ts",
      "docs/add-a-tracker.md csv.ts",
      "docs/add-a-tracker.md main.ts",
      "docs/add-a-tracker.md csv.test.ts",
      "docs/add-an-operator.md softplus.ts",
      "docs/add-an-operator.md softplus.test.ts",
      "docs/session-logs.md log.ts",
      "docs/tokenizers.md tokenize.ts",
      "docs/write-a-plugin.md plugin.js",
      "docs/write-a-plugin.md plugin.test.js",
      "docs/write-a-plugin.md letters.ts",
      "docs/write-a-plugin.md letters.test.ts"
    ])
  })

  it("has a test for every plugin, which runs the laws of its kind on it", () => {
    const plugins = [
      ...pages
        .map(textOf)
        .join("\n")
        .matchAll(/^export const (\w+) = Plugin\.make\((\w+)\.kind/gm)
    ]
    expect(plugins.length).toBeGreaterThan(5)
    const untested = plugins.filter(
      ([, plugin = "", kind = ""]) =>
        !tests.some(
          ({ content }) =>
            new RegExp(`import \\{[^}]*\\b${plugin}\\b`).test(content) &&
            content.includes(`${kind[0]?.toLowerCase()}${kind.slice(1)}Contract(`)
        )
    )
    expect(untested.map(([, plugin]) => plugin)).toEqual([])
  })

  it("is formatted as the sources are", async () => {
    const { vcs: _, ...config } = JSON.parse(readFileSync(join(root, "biome.json"), "utf8"))
    writeFileSync(join(directory, "biome.json"), JSON.stringify(config))
    const names = files.map(({ name, page }) => relative(directory, join(folderOf(page), name)))
    const biome = startProgram(join(root, "node_modules/.bin/biome"), ["format", ...names], { cwd: directory })
    const { code, stderr, stdout } = await biome.finished
    expect(code, stdout + stderr).toBe(0)
  })

  it("compiles", async () => {
    const tsc = join(root, "node_modules/typescript-native/bin/tsc")
    const { code, stdout } = await node([tsc, "--noEmit", "-p", tsconfig]).finished
    expect([code, stdout]).toEqual([0, ""])
  })

  it("meets the contracts of datasets, metrics, operators, models, tokenizers and trackers", async () => {
    const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs")
    const report = join(directory, "results.json")
    const words = ["run", "--root", directory, "--reporter=json", `--outputFile=${report}`]
    const { code, stderr, stdout } = await node([vitest, ...words], { VITEST: "" }, directory).finished
    expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""])
    const { numPassedTests, testResults } = JSON.parse(readFileSync(report, "utf8"))
    expect(testResults).toHaveLength(tests.length)
    // Softplus: has points, its point, gradient, backend. Bigram: laws 1 and 2, and 3 for two sizes.
    // Metrics: three laws, and one more. Csv: five for three laws.
    // Letters: the laws of tokenizers on given and random texts, and a sentence. Stanzas: four laws, one dataset that is equal
    // and three that are not.
    expect(numPassedTests).toBe(4 + 4 + 4 + 4 + 5 + 15 + 8)
  })

  it.each(outputs.map(({ content, name, page }) => [page, name, content] as const))(
    "%s: %s prints what the page says",
    async (page, name, content) => {
      const program = bundle.pathOf(join(folderOf(page), name))
      const { code, stderr, stdout } = await node([program], {}, folderOf(page)).finished
      expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""])
      expect(stdout.trimEnd()).toBe(content.trimEnd())
    }
  )
})

describe("a page", () => {
  it.each(pages)("%s links only to files and headings that exist", (page) => {
    const targets = [...textOf(page).matchAll(/\]\(([^)\s]+)\)|src="([^"]+)"/g)].map(
      ([, link, image]) => link ?? image ?? ""
    )
    const wrong = targets.filter((target) => {
      if (/^https?:/.test(target)) return false
      const [path = "", anchor] = target.split("#")
      const file = path === "" ? join(root, page) : join(root, dirname(page), path)
      if (!existsSync(file)) return true
      return anchor !== undefined && !anchorsOf(readFileSync(file, "utf8")).includes(anchor)
    })
    expect(wrong).toEqual([])
  })

  it.each(pages)("%s names only files of the repository that exist", (page) => {
    const named = [...textOf(page).matchAll(/`((?:src|configs|examples|docs|test|bench|scripts)\/[\w./-]*\w\/?)`/g)]
    const wrong = named.map(([, path = ""]) => path).filter((path) => !existsSync(join(root, path)))
    expect(wrong).toEqual([])
  })

  it.each(pages)("%s names only options and configs of the command that exist", (page) => {
    const help = readdirSync(join(root, "src/cli"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => readFileSync(join(root, "src/cli", name), "utf8"))
      .join("\n")
    const lines = textOf(page)
      .split("\n")
      .filter((line) => /(^ {4}|`|\$ )(npx )?codex [a-z]/.test(line))
    const options = lines.flatMap((line) => [...line.matchAll(/ --([a-z-]+)/g)].map(([, name = ""]) => name))
    const everywhere = ["help", "version", "debug", "log-level"]
    expect(options.filter((name) => !help.includes(`"${name}"`) && !everywhere.includes(name))).toEqual([])
    const choices = lines.flatMap((line) => [...line.matchAll(/ (model|data|tokenizer|training|tracking)=([\w-]+)/g)])
    const missing = choices.filter(
      ([, group = "", name = ""]) => !existsSync(join(root, `configs/${group}/${name}.yaml`))
    )
    expect(missing.map(([choice]) => choice)).toEqual([])
  })
})

describe("README.md", () => {
  it("has the tree of the folders that exist", () => {
    const [, tree = ""] = /^## Where things are\n[\s\S]*?```text\n([\s\S]*?)```/m.exec(textOf("README.md")) ?? []
    const named = [...tree.matchAll(/^( *)([\w.-]+)\/ /gm)].map(([, indent = "", name = ""]) => ({
      depth: indent.length / 2,
      name
    }))
    const stack: Array<string> = []
    const paths = named.map(({ depth, name }) => {
      stack.splice(depth, stack.length, name)
      return stack.join("/")
    })
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([])
    const rooms = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory())
    expect(rooms.map(({ name }) => `src/${name}`).filter((room) => !paths.includes(room))).toEqual([])
  })

  it("shows the output of the quickstart in one block of text", () => {
    const parts = /<!-- quickstart:begin -->\n```text\n([\s\S]+?)```\n<!-- quickstart:end -->/.exec(textOf("README.md"))
    expect(parts?.[1]).toMatch(/bits_per_byte +[\d.]+/)
  })

  it("names the right defaults", () => {
    const quickstart = parse(readFileSync(join(root, "configs/quickstart.yaml"), "utf8"))
    expect(quickstart.defaults).toContainEqual({ data: "moby-dick" })
    expect(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).engines.node).toBe(">=20.19")
    expect(textOf("README.md")).toContain("| Node | 20.19 or newer |")
  })
})

describe("docs/architecture.svg", () => {
  const svg = readFileSync(join(root, "docs/architecture.svg"), "utf8")

  it("names every folder of src, and has its own background", () => {
    const rooms = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory())
    expect(rooms.map(({ name }) => name).filter((name) => !svg.includes(`src/${name}`))).toEqual([])
    expect(svg).toMatch(/<rect width="100%" height="100%" fill="#[0-9a-f]{6}"/)
    expect(svg).toMatch(/<title id="title">[^<]+<\/title>/)
  })

  it("is shown by docs/architecture.md", () => {
    expect(textOf("docs/architecture.md")).toContain(`](${relative("docs", "docs/architecture.svg")})`)
  })
})

/** Anchors of a page's headings, as GitHub makes them. */
function anchorsOf(text: string): ReadonlyArray<string> {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-")
  )
}
