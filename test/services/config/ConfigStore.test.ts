/**
 * Config files in real directories: where groups are looked for, what origins say, what broken files say. Oracle: the order
 * of directories in the store's header. Needs a temporary directory.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { afterAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Config from "../../../src/core/config/Config.ts"
import * as ConfigStore from "../../../src/services/config/ConfigStore.ts"

const temporary = realpathSync(mkdtempSync(join(tmpdir(), "codex-configs-")))
afterAll(() => rmSync(temporary, { recursive: true, force: true }))

const write = (path: string, text: string) => {
  mkdirSync(dirname(join(temporary, path)), { recursive: true })
  writeFileSync(join(temporary, path), text)
}
const store = ConfigStore.layer({
  workingDirectory: join(temporary, "home/project"),
  packagedConfigs: join(temporary, "package/configs")
}).pipe(Layer.provide(NodeContext.layer))

const compose = (primary: string, overrides: ReadonlyArray<string> = []) =>
  Config.compose({ primary, overrides }).pipe(Effect.provide(store))
const value = (primary: string, overrides: ReadonlyArray<string> = []) =>
  Effect.map(compose(primary, overrides), Config.toValue)
const refusal = (primary: string, overrides: ReadonlyArray<string> = []) =>
  Effect.map(Effect.flip(compose(primary, overrides)), (error) => error.message.replaceAll(temporary, "…"))

describe("ConfigStore", () => {
  it.effect("takes the nearest file of a group: beside, above, in configs/, in the package", () =>
    Effect.gen(function* () {
      write("home/project/mine/deep/run.yaml", "defaults:\n  - g: beside\n  - g: above\n  - g: own\n  - g: packaged\n")
      write("home/project/mine/deep/g/beside.yaml", "a: beside\n")
      for (const place of ["mine/g", "configs/g"]) write(`home/project/${place}/beside.yaml`, "a: wrong\nwrong: 1\n")
      write("home/project/mine/g/above.yaml", "b: above\n")
      write("home/project/configs/g/above.yaml", "b: wrong\n")
      write("home/project/configs/g/own.yaml", "c: own\n")
      write("package/configs/g/own.yaml", "c: wrong\n")
      write("package/configs/g/packaged.yaml", "d: packaged\n")
      const result = yield* compose("mine/deep/run.yaml")
      expect(Config.toValue(result)).toEqual({ g: { a: "beside", b: "above", c: "own", d: "packaged" } })
      expect(result.files.map((file) => file.replace(temporary, "…"))).toEqual([
        "mine/deep/run.yaml",
        "mine/deep/g/beside.yaml",
        "mine/g/above.yaml",
        "configs/g/own.yaml",
        "…/package/configs/g/packaged.yaml"
      ])
    })
  )

  it.effect("does not look above the working directory", () =>
    Effect.gen(function* () {
      write("home/secret/x.yaml", "a: 1\n")
      write("home/project/run.yaml", "defaults:\n  - secret: x\n")
      expect(yield* refusal("run.yaml")).toBe("run.yaml:2: there is no config secret/x.yaml; available: none")
    })
  )

  it.effect("serves a file outside the working directory from its own configs", () =>
    Effect.gen(function* () {
      write("package/configs/training/base.yaml", "defaults:\n  - g: packaged\n  - small\n  - _self_\nepochs: 1\n")
      write("package/configs/training/small.yaml", "epochs: 9\nbatch: 2\n")
      expect(yield* value(join(temporary, "package/configs/training/base.yaml"))).toEqual({
        g: { d: "packaged" },
        epochs: 1,
        batch: 2
      })
    })
  )

  it.effect("reads package headers, anchors, merge keys, empty files and files with a byte order mark", () =>
    Effect.gen(function* () {
      write("home/project/configs/e/global.yaml", "# What it does.\n# @package _global_\ntop: 1\n")
      write("home/project/configs/e/named.yaml", "# @package a.b\nx: 1\n")
      write("home/project/configs/e/empty.yaml", "# nothing yet\n")
      write(
        "home/project/yaml.yaml",
        '\uFEFFdefaults:\n  - e: [global, named, empty]\nbase: &base {p: 1, q: 2}\nsame: *base\nmore: {q: 3, <<: *base, "<<": 4}\n'
      )
      expect(yield* value("yaml.yaml")).toEqual({
        top: 1,
        e: {},
        a: { b: { x: 1 } },
        base: { p: 1, q: 2 },
        same: { p: 1, q: 2 },
        more: { p: 1, q: 3, "<<": 4 }
      })
    })
  )

  it.effect("names file and line of what cannot be read", () =>
    Effect.gen(function* () {
      expect(yield* refusal("nowhere.yaml")).toMatch(/^nowhere\.yaml: there is no such file/)
      write("home/project/torn.yaml", "a: 1\nb: [1, 2\nc: 3\n")
      expect(yield* refusal("torn.yaml")).toMatch(/^torn\.yaml:\d: not valid YAML: /)
      write("home/project/twice.yaml", "a: 1\na: 2\n")
      expect(yield* refusal("twice.yaml")).toBe(
        "twice.yaml:2: a: the key is already in this map; remove one of the two"
      )
      write("home/project/list.yaml", "- a\n")
      expect(yield* refusal("list.yaml")).toBe("list.yaml:1: a config file must be a map of `key: value` lines")
      write("home/project/tag.yaml", "a: !!js/function x\n")
      expect(yield* refusal("tag.yaml")).toMatch(/^tag\.yaml:1: not valid YAML: Unresolved tag/)
      write("home/project/near.yaml", "x: 1\n")
      expect(yield* refusal("near.yaml", ["+e=globl"])).toBe(
        "command line: there is no config e/globl.yaml; did you mean global? available: empty, global, named"
      )
    })
  )
})
