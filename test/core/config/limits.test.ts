/**
 * Configs that are made to fill the memory or the stack: aliases, interpolations, defaults lists, nesting. Each is refused with file,
 * line and key. Oracle: the messages as written down beforehand; the sizes that these texts would have are beyond any machine.
 */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the notation of interpolation is what is tested
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Config from "../../../src/core/config/Config.ts"
import * as Node from "../../../src/core/config/ConfigNode.ts"
import * as Excerpt from "../../../src/core/Excerpt.ts"
import * as ConfigStore from "../../../src/services/config/ConfigStore.ts"

type Files = { readonly [path: string]: string }

const source = (files: Files): Config.ConfigSource.Service => {
  const read = (path: string) =>
    Effect.map(ConfigStore.parseYaml(files[path] ?? "", path), (root) => ({
      path,
      root: root._tag === "Map" ? { ...root, origin: path } : Node.map([], path),
      packageName: undefined
    }))
  return {
    primary: read,
    find: (_, name) => (`${name}.yaml` in files ? read(`${name}.yaml`) : Effect.succeed(undefined)),
    names: () => Effect.succeed([]),
    parse: (text) => ConfigStore.parseValue(text, "command line")
  }
}

const compose = (files: Files, overrides: ReadonlyArray<string> = []) =>
  Config.compose({ primary: "config.yaml", overrides }).pipe(Effect.provideService(Config.ConfigSource, source(files)))
const refusal = (yaml: string, overrides: ReadonlyArray<string> = []) =>
  Effect.map(Effect.flip(compose({ "config.yaml": yaml }, overrides)), (error) => error.message)
const value = (yaml: string, overrides: ReadonlyArray<string> = []) =>
  Effect.map(compose({ "config.yaml": yaml }, overrides), Config.toValue)

/** `levels` keys `a0`, `a1`, … whose value is made of the key before. */
const tower = (levels: number, first: string, next: (before: string, i: number) => string) =>
  [first, ...Array.from({ length: levels }, (_, i) => next(`a${i}`, i + 1))].map((text) => `${text}\n`).join("")

describe("Limits of YAML", () => {
  it.effect("refuses an alias inside its own anchor, directly, in a map, in a merge key", () =>
    Effect.gen(function* () {
      expect(yield* refusal("b: 1\na: &x [*x]\n")).toBe(
        "config.yaml:2: a[0]: *x is inside the value that it stands for"
      )
      expect(yield* refusal("a: &x\n  b:\n    c: *x\n")).toBe(
        "config.yaml:3: a.b.c: *x is inside the value that it stands for"
      )
      expect(yield* refusal("a: &x {<<: *x, b: 1}\n")).toBe(
        "config.yaml:1: a: *x is inside the value that it stands for"
      )
      expect(yield* refusal("a: &x {b: &y [*x, *y]}\n")).toBe(
        "config.yaml:1: a.b[0]: *x is inside the value that it stands for\n" +
          "config.yaml:1: a.b[1]: *y is inside the value that it stands for"
      )
    })
  )

  it.effect("refuses aliases that repeat values many times: nine levels of ten", () =>
    Effect.gen(function* () {
      const yaml = tower(9, "a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]", (before, i) => {
        return `a${i}: &a${i} [${Array.from({ length: 10 }, () => `*${before}`).join(", ")}]`
      })
      expect(yield* refusal(yaml)).toMatch(
        /^config\.yaml:\d: a\d\[\d\]: aliases repeat more than 10000 values up to \*a\d; write fewer of them$/
      )
      const merges = tower(30, "a0: &a0 {x: {y: 1}}", (before, i) => `a${i}: &a${i} {p: *${before}, q: *${before}}`)
      expect(yield* refusal(merges)).toContain("aliases repeat more than 10000 values")
    })
  )

  it.effect("keeps the meaning of anchors: the last one of that name, in the order of the file", () =>
    Effect.gen(function* () {
      expect(yield* value("a: &x {b: &y 1}\nc: &y 2\nd: *x\ne: *y\nf: &x 3\ng: *x\n")).toEqual({
        a: { b: 1 },
        c: 2,
        d: { b: 1 },
        e: 2,
        f: 3,
        g: 3
      })
      expect(yield* value("a: &x {k: 1, l: 2}\nb: &y {k: 3, m: 4}\nc: {<<: [*x, *y], l: 5}\n")).toMatchObject({
        c: { k: 1, l: 5, m: 4 }
      })
      expect(yield* refusal("a: 1\nb: {<<: 5}\n")).toBe(
        "config.yaml:2: b: << must be followed by a map, or by a list of maps"
      )
      expect(yield* refusal("{[a]: 1}\n")).toBe("config.yaml:1: a key must be a word, a number or a quoted string")
    })
  )

  it.effect("refuses nesting that would fill the stack, in flow and in block form", () =>
    Effect.gen(function* () {
      const deep = /^config\.yaml:\d+: more than 100 maps and lists are inside each other$/
      expect(yield* refusal(`a: ${"[".repeat(100_000)}`)).toMatch(deep)
      expect(yield* refusal(`a: ${"{b: ".repeat(100_000)}`)).toMatch(deep)
      expect(yield* refusal(`${"- ".repeat(100_000)}a\n`)).toMatch(deep)
      expect(yield* refusal(`${"? ".repeat(100_000)}a\n`)).toMatch(deep)
      expect(yield* refusal(Array.from({ length: 200 }, (_, i) => `${" ".repeat(i)}a:\n`).join(""))).toMatch(deep)
      expect(yield* value(`a: ${"[".repeat(90)}${"]".repeat(90)}`)).toHaveProperty("a")
      expect(yield* refusal("a: 1", [`+b=${"[".repeat(100_000)}`])).toMatch(
        /^command line: more than 100 maps and lists are inside each other$/
      )
      expect(yield* refusal("a: 1", [`+${"b.".repeat(100_000)}c=1`])).toMatch(
        /^command line: "b\.b\..*\.\.\. has more than 100 parts$/
      )
      const [key, list] = ["b.".repeat(60), "[".repeat(60) + "]".repeat(60)]
      expect(yield* refusal("a: 1", [`+${key}c=${list}`])).toMatch(
        /^command line: b\.b\..*: more than 100 maps and lists are inside each other$/
      )
    })
  )

  it.effect("reads many keys in time that grows with their number, and lists few of many faults", () =>
    Effect.gen(function* () {
      const keys = Array.from({ length: 3000 }, (_, i) => `k${i}: ${i}\n`).join("")
      expect(Object.keys(Object(yield* value(keys)))).toHaveLength(3000)
      const lines = (yield* refusal("a: 1\n".repeat(200))).split("\n")
      expect(lines).toHaveLength(21)
      expect(lines.at(-1)).toBe("and 179 more faults")
    })
  )

  it.effect("shows the beginning of names, values and texts that a file made long", () =>
    Effect.gen(function* () {
      const [name, shown] = ["x".repeat(1000), `${"x".repeat(57)}...`]
      const schema = Schema.Struct({ a: Schema.Number })
      const decoded = (yaml: string) =>
        Effect.flatMap(compose({ "config.yaml": yaml }), (composed) => Config.decode(schema, composed)).pipe(
          Effect.flip,
          Effect.map((error) => error.message)
        )
      expect(yield* decoded(`a: 1\n${name}: 1\n`)).toBe(`config.yaml:2: ${shown} is unknown; known: a`)
      expect(yield* decoded(`a: ${name}\n`)).toBe(`config.yaml:1: a: expected a number, got "${shown.slice(1)}`)
      expect((yield* decoded(`${`${name}: {`.repeat(80)}${"}".repeat(80)}`)).length).toBeLessThan(500)
      const many = yield* decoded(`a: 1\n${Array.from({ length: 20_000 }, (_, i) => `key${i}: 1\n`).join("")}`)
      expect(many.split("\n")).toHaveLength(21)
      expect(many).toMatch(/and 19980 more faults$/)
      for (const yaml of [
        `a: *${name}`,
        `a: &${name} [*${name}]`,
        `${name}: [`,
        `a: !!${name} 1`,
        `a: "\${${name}}"`,
        `a: "\${${name}:b}"`,
        `a: "\${oc.env:${name}}"`,
        `a: "\${${name}"`,
        `${name}: "\${${name}}"`,
        `${name}: {b: 1}\na: "x\${${name}}"`,
        `defaults: [${name}]`,
        `defaults: [{${name}: ${name}}]`,
        `a: 1\na: 2\n${name}: 1\n${name}: 2\n`
      ]) {
        expect((yield* refusal(yaml)).length, yaml.slice(0, 20)).toBeLessThan(700)
      }
      expect(yield* decoded('a: 1\n"b\\e[31m\\0": 1\n')).toBe("config.yaml:2: b\\u001b[31m\\u0000 is unknown; known: a")
      expect(Excerpt.of(`${"x".repeat(56)}😀 and more`)).toBe(`${"x".repeat(56)}...`)
      expect(Excerpt.list(Array.from({ length: 60 }, (_, i) => `n${i}`))).toMatch(/^n0, n1, .*, n49, and 10 more$/)
    })
  )
})

describe("Limits of interpolation", () => {
  it.effect("evaluates a key once, however often it is used", () =>
    Effect.gen(function* () {
      const yaml = tower(40, 'a0: ""', (before, i) => `a${i}: "\${${before}}\${${before}}"`)
      expect(yield* value(yaml)).toMatchObject({ a40: "" })
    })
  )

  it.effect("refuses texts and values that double with each key", () =>
    Effect.gen(function* () {
      const texts = tower(40, "a0: x", (before, i) => `a${i}: "\${${before}}\${${before}}"`)
      expect(yield* refusal(texts)).toMatch(
        /^config\.yaml:\d+: a\d+: interpolations produce more than 1 MiB of text; write the value itself$/
      )
      const maps = tower(40, "a0: {x: 1}", (before, i) => `a${i}: {p: "\${${before}}", q: "\${${before}}"}`)
      expect(yield* refusal(maps)).toMatch(
        /^config\.yaml:\d+: a\d+\.[pq]: interpolations repeat more than 10000 values; write the value itself$/
      )
    })
  )

  it.effect("refuses long chains, deep nesting, and circles through maps", () =>
    Effect.gen(function* () {
      const chain = Array.from({ length: 5000 }, (_, i) => `a${i}: \${a${i + 1}}\n`).join("")
      expect(yield* refusal(`${chain}a5000: 1\n`)).toMatch(
        /^config\.yaml:101: a100: more than 100 interpolations lead from one to the next/
      )
      expect(yield* refusal(`a: ${"${".repeat(5000)}${"}".repeat(5000)}\n`)).toMatch(
        /^config\.yaml:1: a: more than 100 interpolations are inside each other/
      )
      expect(yield* refusal("a: {b: '${c}'}\nc: {d: '${a}'}\n")).toBe(
        "config.yaml:1: a.b: circular interpolation: a.b → c.d → a.b"
      )
      const nested = Array.from({ length: 60 }, (_, i) => `a${i}: {x: {y: "\${a${i + 1}}"}}\n`).join("")
      expect(yield* refusal(`${nested}a60: 1\n`)).toMatch(/: more than 100 maps and lists are inside each other$/)
    })
  )
})

describe("Limits of defaults lists", () => {
  const message = (files: Files) => Effect.map(Effect.flip(compose(files)), (error) => error.message)

  it.effect("refuses lists that name each file twice, and long chains of files", () =>
    Effect.gen(function* () {
      const fan = Array.from({ length: 40 }, (_, i) => [`f${i}.yaml`, `defaults: [f${i + 1}, f${i + 1}]\n`])
      expect(
        yield* message({ "config.yaml": "defaults: [f0]\n", ...Object.fromEntries(fan), "f40.yaml": "a: 1\n" })
      ).toMatch(/^f\d+\.yaml: the defaults lists name more than 1000 files$/)
      const chain = Array.from({ length: 200 }, (_, i) => [`f${i}.yaml`, `defaults: [f${i + 1}]\n`])
      expect(
        yield* message({ "config.yaml": "defaults: [f0]\n", ...Object.fromEntries(chain), "f200.yaml": "a: 1\n" })
      ).toBe("f99.yaml: more than 100 defaults lists lead from one to the next")
    })
  )
})
