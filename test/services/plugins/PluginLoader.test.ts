/**
 * Discovery and loading of real packages (test/fixtures/plugins) in the node_modules of a temporary project. They import
 * their own copy of codex, bundled from src/core, as packages in one tree may. Oracle: the rules of the loader's header.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { build } from "esbuild"
import { Metric } from "../../../src/core/Metric.ts"
import * as Plugin from "../../../src/core/plugin/Plugin.ts"
import * as PluginGroup from "../../../src/core/plugin/PluginGroup.ts"
import { Registry } from "../../../src/core/plugin/Registry.ts"
import { Tokenizer } from "../../../src/core/Tokenizer.ts"
import { openTokenizer } from "../../../src/jobs/tokenizers/openTokenizer.ts"
import * as PluginLoader from "../../../src/services/plugins/PluginLoader.ts"

const root = resolve(import.meta.dirname, "../../..")
const project = realpathSync(mkdtempSync(join(tmpdir(), "codex-plugins-")))
const modules = join(project, "node_modules")

beforeAll(async () => {
  cpSync(join(root, "test/fixtures/plugins"), modules, { recursive: true })
  for (const name of ["effect", "fastest-levenshtein"])
    symlinkSync(join(root, "node_modules", name), join(modules, name))
  mkdirSync(join(project, "src/deep"), { recursive: true })
  mkdirSync(join(modules, "stolen"))
  writeFileSync(join(modules, "stolen/plugin.js"), "globalThis.stolen = true\n")
  symlinkSync(join(modules, "stolen/plugin.js"), join(modules, "codex-hostile/link.js"))
  mkdirSync(join(modules, "codex-ml"))
  writeFileSync(join(modules, "codex-ml/package.json"), '{"name":"codex-ml","type":"module","main":"./index.js"}')
  await build({
    stdin: {
      contents:
        'export * as Plugin from "./plugin/Plugin.ts"\nexport { Tokenizer } from "./Tokenizer.ts"\nexport { Metric } from "./Metric.ts"',
      resolveDir: join(root, "src/core")
    },
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    outfile: join(modules, "codex-ml/index.js")
  })
})
afterAll(() => rmSync(project, { recursive: true, force: true }))

const declare = (dependencies: ReadonlyArray<string>, rest: object = {}) =>
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify({ name: "my-project", dependencies: Object.fromEntries(dependencies.map((d) => [d, "*"])), ...rest })
  )
const discover = (plugins: ReadonlyArray<string> = [], directory = project) =>
  PluginLoader.discover({ directory, plugins }).pipe(Effect.provide(NodeContext.layer))
const keys = Effect.map((found: Effect.Effect.Success<ReturnType<typeof discover>>) =>
  found.map(({ kind, name }) => `${kind}/${name}`)
)

const Own = Plugin.make(Tokenizer.kind, "own", {
  description: "this program's",
  config: Schema.Struct({}),
  make: () => Effect.dieMessage("not made here")
})

describe("PluginLoader", () => {
  it.effect("finds what declared dependencies announce, from a directory below, and nothing else", () =>
    Effect.gen(function* () {
      declare(["codex-emoji", "other-codex", "not-installed", "effect"])
      const found = yield* discover([], join(project, "src/deep"))
      expect(
        found.map(({ kind, name, api, origin, description }) => ({ kind, name, api, origin, description }))
      ).toEqual([
        { kind: "tokenizer", name: "emoji", api: 1, origin: "codex-emoji@1.2.0", description: "one smile a character" }
      ])
    })
  )

  it.effect("adds the packages of the config's list, each once, and the project's own plugins", () =>
    Effect.gen(function* () {
      declare(["codex-emoji"], { codex: { api: 1, plugins: { "metric/mine": "./mine.js#Mine" } } })
      expect(yield* keys(discover(["codex-transitive", "codex-emoji"]))).toEqual([
        "metric/mine",
        "tokenizer/emoji",
        "tokenizer/sneaky"
      ])
    })
  )

  it.effect("resolves a package's plugin although the package has its own copy of codex", () =>
    Effect.gen(function* () {
      declare(["codex-emoji"])
      const layer = PluginGroup.make(Own).layerWith(yield* discover())
      yield* Effect.gen(function* () {
        const registry = yield* Registry
        expect(registry.list("tokenizer").map(({ key }) => key)).toEqual(["tokenizer/emoji", "tokenizer/own"])
        const tokenizer = yield* registry.resolve(Tokenizer.kind, "emoji", { face: "8)" })
        expect(yield* tokenizer.decode(tokenizer.encode("ab"))).toBe("8)8)")
        const error = yield* Effect.flip(registry.resolve(Tokenizer.kind, "emoji", { fase: 1 }))
        expect(error.message).toContain("fase is unknown; did you mean face?")
        expect(error._tag).toBe("PluginConfigError")
      }).pipe(Effect.scoped, Effect.provide(layer))
      // The copy is a real one: were it ours, this test would show nothing.
      const copy: unknown = yield* Effect.promise(() => import(/* @vite-ignore */ join(modules, "codex-ml/index.js")))
      expect(copy).toHaveProperty("Tokenizer")
      expect(copy).not.toHaveProperty("Tokenizer", Tokenizer)
    })
  )

  it.effect("imports nothing before it is used, and refuses what breaks the rules", () =>
    Effect.gen(function* () {
      declare(["codex-hostile"])
      const found = yield* discover()
      const outcome = (name: string) =>
        Effect.gen(function* () {
          const registry = yield* Registry
          const error = yield* Effect.flip(registry.resolve(Tokenizer.kind, name, {}))
          expect(error._tag).toBe("PluginInitError")
          return error.message
            .replaceAll(modules, "…")
            .replace(`tokenizer "${name}" (codex-hostile@6.6.6) could not start: `, "")
        }).pipe(Effect.scoped, Effect.provide(PluginGroup.make(Own).layerWith(found)))
      const ends = "Update the package, or report this to its author."
      expect(yield* outcome("escape")).toBe(
        `codex-hostile@6.6.6 declares ./../stolen/plugin.js#Escape, but the file is …/stolen/plugin.js, outside of the package. ${ends}`
      )
      expect(yield* outcome("link")).toContain("but the file is …/stolen/plugin.js, outside of the package")
      expect(yield* outcome("gone")).toContain("but there is no such file")
      expect(yield* outcome("throws")).toContain("but importing it failed: no licence key")
      expect(yield* outcome("unnamed")).toContain(
        "but the file does not export a plugin of that name (it exports Other, Text)"
      )
      expect(yield* outcome("no-plugin")).toContain("but the file does not export a plugin of that name")
      expect(yield* outcome("other-key")).toContain('its key is "tokenizer/someone-else", not "tokenizer/other-key"')
      expect(globalThis).not.toHaveProperty("stolen")
    })
  )

  it.scoped("opens a file that a plugin of a package declares to read, as it opens those of built-in plugins", () =>
    Effect.gen(function* () {
      declare(["codex-emoji"])
      const layer = PluginGroup.make(Own).layerWith(yield* discover())
      writeFileSync(join(project, "smile.emoji"), ":)")
      writeFileSync(join(project, "smile.model"), "")
      const opened = yield* openTokenizer(join(project, "smile.emoji"), { config: { face: ";)" } }).pipe(
        Effect.provide(layer)
      )
      expect(opened.plugin).toBe("emoji")
      expect(yield* opened.tokenizer.decode(opened.tokenizer.encode("ab"))).toBe(";);)")
      expect((yield* Effect.flip(Effect.provide(openTokenizer(join(project, "smile.model")), layer))).message).toBe(
        `${project}/smile.model: no tokenizer plugin reads a file of this name. Known names are *.emoji.`
      )
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.effect("refuses a package for another version when the registry is built, without importing it", () =>
    Effect.gen(function* () {
      declare(["codex-old"])
      expect(existsSync(join(modules, "codex-old/plugin.js"))).toBe(false)
      const error = yield* Effect.flip(Effect.provide(Registry, PluginGroup.make(Own).layerWith(yield* discover())))
      expect(error.message).toContain(
        "written for version 0 of the tokenizer interface, but this program uses version 1. Update codex-old@0.1.0"
      )
    })
  )

  it.effect("refuses a package that uses another major version of effect, without importing it", () =>
    Effect.gen(function* () {
      const directory = join(modules, "codex-effect-four")
      mkdirSync(join(directory, "node_modules/effect"), { recursive: true })
      writeFileSync(join(directory, "node_modules/effect/package.json"), '{"name":"effect","version":"4.1.0"}')
      writeFileSync(
        join(directory, "package.json"),
        '{"name":"codex-effect-four","version":"2.0.0","codex":{"api":1,"plugins":{"tokenizer/four":"./four.js#Four"}}}'
      )
      writeFileSync(join(directory, "four.js"), "globalThis.stolen = true\n")
      declare(["codex-effect-four"])
      const layer = PluginGroup.make(Own).layerWith(yield* discover())
      const error = yield* Effect.gen(function* () {
        const registry = yield* Registry
        return yield* Effect.flip(registry.resolve(Tokenizer.kind, "four", {}))
      }).pipe(Effect.scoped, Effect.provide(layer))
      expect(error.message).toBe(
        'tokenizer "four" (codex-effect-four@2.0.0) could not start: codex-effect-four@2.0.0 declares ./four.js#Four, ' +
          "but it uses effect 4.1.0, and codex-ml uses effect 3. Update the package, or report this to its author."
      )
      expect(globalThis).not.toHaveProperty("stolen")
    })
  )

  it.effect("runs the package that docs/write-a-plugin.md shows", () =>
    Effect.gen(function* () {
      const page = readFileSync(join(root, "docs/write-a-plugin.md"), "utf8")
      const block = (language: string) => new RegExp(`\`\`\`${language}\\b.*\\n([^]*?)\`\`\``).exec(page)?.[1] ?? ""
      mkdirSync(join(modules, "codex-whole-words"), { recursive: true })
      writeFileSync(join(modules, "codex-whole-words/package.json"), block("json"))
      writeFileSync(join(modules, "codex-whole-words/plugin.js"), block("js"))
      declare(["codex-whole-words"])
      const layer = PluginGroup.make(Own).layerWith(yield* discover())
      const metric = yield* Metric.pipe(
        Effect.provide(Layer.provide(Registry.layerOf(Metric.kind, "nats_per_word", { bytes_per_word: 4 }), layer))
      )
      const totals = metric.update(metric.empty, { nats: 30, tokens: 10, bytes: 40, correct: 0 })
      expect(metric.result(totals)).toBe(3)
    })
  )

  it.effect("says every fault of a manifest", () =>
    Effect.gen(function* () {
      declare(["codex-invalid"])
      const error = yield* Effect.flip(discover())
      expect(error.message.replaceAll(modules, "…").split("\n")).toEqual([
        '…/codex-invalid/package.json: the "codex" section is not valid:',
        "  plugin is unknown; did you mean plugins?",
        '  api: expected an integer, got "1"',
        expect.stringMatching(/^ {2}plugins\.tokenizer\/a: expected .*, got "plugin\.js"$/),
        "Update codex-invalid, or report this to its author."
      ])
    })
  )

  it.effect("says what is wrong with an entry of the config's list", () =>
    Effect.gen(function* () {
      declare([])
      expect((yield* Effect.flip(discover(["codex-nowhere"]))).message).toBe(
        "plugins: the package codex-nowhere is not installed. Install it (npm install codex-nowhere), or remove it from the list."
      )
      expect((yield* Effect.flip(discover(["other-codex"]))).reason).toBe("NoManifest")
      expect((yield* Effect.flip(discover(["../codex-emoji"]))).reason).toBe("NotInstalled")
      writeFileSync(join(project, "package.json"), "{ torn")
      expect((yield* Effect.flip(discover())).reason).toBe("Unreadable")
    })
  )
})
