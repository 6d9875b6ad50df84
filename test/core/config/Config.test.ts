/**
 * Composition, overrides, interpolation and decoding of configs, from documents in memory. Oracles: Hydra's and OmegaConf's
 * documented semantics worked out by hand, the messages as written down beforehand, algebraic laws. Needs nothing.
 */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the notation of interpolation is what is tested
import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as Config from "../../../src/core/config/Config.ts"
import * as Node from "../../../src/core/config/ConfigNode.ts"
import { nearest } from "../../../src/core/config/Suggestion.ts"
import * as Plugin from "../../../src/core/plugin/Plugin.ts"
import * as PluginGroup from "../../../src/core/plugin/PluginGroup.ts"
import { Tokenizer } from "../../../src/core/Tokenizer.ts"
import * as ConfigStore from "../../../src/services/config/ConfigStore.ts"

type Files = { readonly [path: string]: string }

/** Serves `group/name.yaml` by that very path. */
const source = (files: Files): Config.ConfigSource.Service => {
  const read = (path: string) =>
    Effect.map(ConfigStore.parseYaml(files[path] ?? "", path), (root) => ({
      path,
      root: root._tag === "Map" ? { ...root, origin: path } : Node.map([], path),
      packageName: /^# @package (\S+)/.exec(files[path] ?? "")?.[1]
    }))
  const pathOf = (group: string, name: string) => (group === "" ? `${name}.yaml` : `${group}/${name}.yaml`)
  return {
    primary: read,
    find: (group, name) => {
      const path = pathOf(group, name)
      return path in files ? read(path) : Effect.succeed(undefined)
    },
    names: (group) =>
      Effect.succeed(
        Object.keys(files).flatMap((path) => {
          const name = /([^/]+)\.yaml$/.exec(path)?.[1] ?? ""
          return pathOf(group, name) === path ? [name] : []
        })
      ),
    parse: (text) => ConfigStore.parseValue(text, "command line")
  }
}

const composed = (files: Files, overrides: ReadonlyArray<string> = [], schema?: Schema.Schema.All) =>
  Config.compose({ primary: "config.yaml", overrides, ...(schema === undefined ? {} : { schema }) }).pipe(
    Effect.provideService(Config.ConfigSource, source(files)),
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["WHO", "7"]])))
  )
const value = (files: Files, overrides: ReadonlyArray<string> = []) =>
  Effect.map(composed(files, overrides), Config.toValue)
const refusal = (files: Files, overrides: ReadonlyArray<string> = []) =>
  Effect.map(Effect.flip(composed(files, overrides)), (error) => error.message)

const files: Files = {
  "config.yaml": `defaults:
  - model: minilm
  - tracking: [ndjson, csv]
  - optional machine: laptop
training:
  seed: 1
  epochs: 1
`,
  "model/minilm.yaml": "name: decoder\nhidden_size: 192\nlayers: [1, 2]\n",
  "model/llama-tiny.yaml": "defaults:\n  - minilm\nhidden_size: 64\nrope: true\n",
  "tracking/ndjson.yaml": "ndjson: {}\n",
  "tracking/csv.yaml": "csv: {sep: ','}\n",
  "tracking/mlflow.yaml": "mlflow: {uri: x}\n",
  "experiment/long.yaml": "# @package _global_\ntraining: {epochs: 9}\nmodel: {hidden_size: 384}\n"
}
const minilm = { name: "decoder", hidden_size: 192, layers: [1, 2] }
const plain = { model: minilm, tracking: { ndjson: {}, csv: { sep: "," } }, training: { seed: 1, epochs: 1 } }

describe("Config.compose", () => {
  it.effect("puts the choices of groups under their keys, and remembers every file", () =>
    Effect.gen(function* () {
      const result = yield* composed(files)
      expect(Config.toValue(result)).toEqual(plain)
      expect(result.files).toEqual(["config.yaml", "model/minilm.yaml", "tracking/ndjson.yaml", "tracking/csv.yaml"])
    })
  )

  it.effect("lets the file's own content win, or what comes after _self_", () =>
    Effect.gen(function* () {
      const own = "model:\n  hidden_size: 1\n"
      const last = { ...files, "config.yaml": `defaults:\n  - model: minilm\n${own}` }
      expect(yield* value(last)).toEqual({ model: { ...minilm, hidden_size: 1 } })
      const first = { ...files, "config.yaml": `defaults:\n  - _self_\n  - model: minilm\n${own}` }
      expect(yield* value(first)).toEqual({ model: minilm })
    })
  )

  it.effect("takes another choice from the command line, through nested defaults", () =>
    Effect.gen(function* () {
      expect(yield* value(files, ["model=llama-tiny"])).toEqual({
        ...plain,
        model: { ...minilm, hidden_size: 64, rope: true }
      })
      expect(yield* value(files, ["tracking=[mlflow]", "model=null"])).toEqual({
        tracking: { mlflow: { uri: "x" } },
        training: plain.training
      })
    })
  )

  it.effect("adds a choice from a group that no list names, at the top level when its file says so", () =>
    Effect.gen(function* () {
      const long = { ...plain, training: { seed: 1, epochs: 9 }, model: { ...minilm, hidden_size: 384 } }
      expect(yield* value(files, ["+experiment=long"])).toEqual(long)
      const inline = { ...files, "config.yaml": "model: {name: other, x: 1}\n" }
      expect(yield* value(inline, ["model=minilm"])).toEqual({ model: minilm })
      expect(yield* value(inline, ["+model=minilm"])).toEqual({ model: { ...minilm, x: 1 } })
    })
  )

  it.effect("sets, adds and deletes values, which are YAML", () =>
    Effect.gen(function* () {
      const overrides = [
        "training.epochs=2",
        "+training.dry_run=true",
        "+dry_run=true",
        "~tracking.csv",
        "model.layers=[3]",
        "model.layers[0]=4",
        '+a.b={x: "1", y: null, z: 1e-3}',
        "+empty=",
        "+text=Call me: now",
        "+tag=#1",
        "+none=~",
        "+off=false"
      ]
      expect(yield* value(files, overrides)).toEqual({
        training: { seed: 1, epochs: 2, dry_run: true },
        dry_run: true,
        tracking: { ndjson: {} },
        model: { ...minilm, layers: [4] },
        a: { b: { x: "1", y: null, z: 0.001 } },
        empty: "",
        text: "Call me: now",
        tag: "#1",
        none: null,
        off: false
      })
    })
  )

  it.effect("refuses what does not exist, with the nearest name", () =>
    Effect.gen(function* () {
      expect(yield* refusal(files, ["training.epochz=2"])).toBe(
        "command line: training.epochz is unknown; did you mean training.epochs? (+training.epochz=… adds a key)"
      )
      expect(yield* refusal(files, ["~tracking.wandb"])).toBe(
        "command line: tracking.wandb is unknown; known: ndjson, csv"
      )
      expect(yield* refusal(files, ["model=llama-tinyy"])).toBe(
        "command line: there is no config model/llama-tinyy.yaml; did you mean llama-tiny? available: minilm, llama-tiny"
      )
      expect(yield* refusal(files, ["training=minilm"])).toContain("there is no config training/minilm.yaml")
      expect(yield* refusal({ "config.yaml": "defaults:\n  - model: x\n" })).toBe(
        "config.yaml:2: there is no config model/x.yaml; available: none"
      )
      expect(yield* refusal(files, ["training.epochs"])).toContain('"training.epochs" is not an override')
      expect(yield* refusal(files, ["training.epochs=[1"])).toMatch(/^command line: not valid YAML/)
      expect(yield* refusal({ "config.yaml": "defaults:\n  - override model: x\n" })).toMatch(
        /^config.yaml:2: \{"override model":"x"\} is not a valid entry of a defaults list/
      )
      const circle = { "config.yaml": "defaults: [a]\n", "a.yaml": "defaults: [b]\n", "b.yaml": "defaults: [a]\n" }
      expect(yield* refusal(circle)).toContain("circular defaults lists: config.yaml → a.yaml → b.yaml → a.yaml")
    })
  )

  it.effect("allows keys that the schema knows although no file has them", () =>
    Effect.gen(function* () {
      const schema = Schema.Struct({
        training: Schema.optionalWith(Schema.Struct({ patience: Schema.optional(Schema.Number) }), {
          default: () => ({})
        })
      })
      const result = yield* composed({ "config.yaml": "{}" }, ["training.patience=3"], schema)
      expect(Config.toValue(result)).toEqual({ training: { patience: 3 } })
      const error = yield* Effect.flip(composed({ "config.yaml": "{}" }, ["training.patiense=3"], schema))
      expect(error._tag).toBe("ConfigError")
    })
  )
})

describe("Config interpolation", () => {
  const one = (yaml: string, overrides: ReadonlyArray<string> = []) => value({ "config.yaml": yaml }, overrides)

  it.effect("takes values with their types, text in text, and the environment", () =>
    Effect.gen(function* () {
      const yaml = `
seed: 3
a: {b: [1, {c: "\${seed}"}]}
whole: \${a}
item: \${a.b[0]}
text: run-\${seed}-\${text2}
text2: x\${item}
env: \${oc.env:WHO}
number: \${oc.decode:\${oc.env:WHO}}
fallback: \${oc.env:NOBODY,some, thing}
which: seed
nested: \${\${which}}
escaped: a\\\${seed}
`
      expect(yield* one(yaml, ["seed=5"])).toEqual({
        seed: 5,
        a: { b: [1, { c: 5 }] },
        whole: { b: [1, { c: 5 }] },
        item: 1,
        text: "run-5-x1",
        text2: "x1",
        env: "7",
        number: 7,
        fallback: "some, thing",
        which: "seed",
        nested: 5,
        escaped: "a${seed}"
      })
    })
  )

  it.effect("refuses what leads nowhere or in a circle, with file, line and key", () =>
    Effect.gen(function* () {
      const message = (yaml: string) => refusal({ "config.yaml": yaml })
      expect(yield* message("a: 1\nb:\n  c: ${d.e}\n")).toBe("config.yaml:3: b.c: ${d.e} is not a key of the config")
      expect(yield* message("a: ${b}\nb: ${c}\nc: x${a}\n")).toBe(
        "config.yaml:1: a: circular interpolation: a → b → c → a"
      )
      expect(yield* message("a: {b: '${a}'}\n")).toContain("circular interpolation")
      expect(yield* message("a: ${oc.env:NOBODY}\n")).toBe(
        "config.yaml:1: a: the environment variable NOBODY is not set; set it, or give a default: ${oc.env:NOBODY,default}"
      )
      expect(yield* message("a: ${now:x}\n")).toContain("${now:…} is not supported; supported are oc.env and oc.decode")
      expect(yield* message("a: x${b}\nb: {}\n")).toBe(
        "config.yaml:1: a: ${b} is a map and cannot be inserted into text"
      )
      expect(yield* message("a: x${b\nb: {}\n")).toContain("has a ${ without a closing }")
    })
  )
})

describe("Config.decode", () => {
  const schema = Schema.Struct({
    model: Schema.Struct({ hidden_size: Schema.Int.pipe(Schema.positive()), name: Schema.String }),
    training: Schema.Struct({ lr: Schema.optional(Schema.Number), mode: Schema.optional(Schema.Literal("a", "b")) })
  })

  it.effect("reports every fault with the place where it was written", () =>
    Effect.gen(function* () {
      const result = yield* composed(
        {
          "config.yaml": "defaults:\n  - model: m\ntraining:\n  lr: fast\n",
          "model/m.yaml": "# a model\nhiden_size: 1\nhidden_size: 0\n"
        },
        ["+training.mode=c"]
      )
      const error = yield* Effect.flip(Config.decode(schema, result))
      expect(error.message.split("\n")).toEqual([
        "model/m.yaml:2: model.hiden_size is unknown; did you mean model.hidden_size?",
        "model/m.yaml:3: model.hidden_size: expected an integer > 0, got 0",
        "model/m.yaml: model.name is missing; expected a string",
        'config.yaml:4: training.lr: expected a number, got "fast"',
        'command line: training.mode: expected "a" | "b", got "c"'
      ])
    })
  )

  it.effect("decodes a plugin's section with the plugin's schema, and keeps keys and places whole", () => {
    const toy = Plugin.make(Tokenizer.kind, "toy", {
      description: "",
      config: Schema.Struct({ size: Schema.optionalWith(Schema.Number, { default: () => 4 }) }),
      make: () => Effect.dieMessage("not made here")
    })
    const section = (yaml: string, path: ReadonlyArray<string>, name?: string) =>
      Effect.flatMap(composed({ "config.yaml": yaml }), (result) =>
        Config.plugin(result, Tokenizer.kind, path, name)
      ).pipe(Effect.provide(PluginGroup.make(toy).layer))
    const message = (yaml: string, path: ReadonlyArray<string>, name?: string) =>
      Effect.map(Effect.flip(section(yaml, path, name)), (error) => error.message)
    return Effect.gen(function* () {
      expect(yield* section("tokenizer:\n  name: toy\n", ["tokenizer"])).toEqual({
        name: "toy",
        config: {},
        decoded: { size: 4 }
      })
      expect(yield* section("many:\n  toy:\n    size: 2\n", ["many", "toy"], "toy")).toEqual({
        name: "toy",
        config: { size: 2 },
        decoded: { size: 2 }
      })
      expect(yield* section("many:\n  toy:\n", ["many", "toy"], "toy")).toMatchObject({ decoded: { size: 4 } })
      expect(yield* message("tokenizer:\n  name: toy\n  sise: 1\n  size: x\n", ["tokenizer"])).toBe(
        "config.yaml:3: tokenizer.sise is unknown; did you mean tokenizer.size?\n" +
          'config.yaml:4: tokenizer.size: expected a number, got "x"'
      )
      expect(yield* message("tokenizer:\n  name: tou\n", ["tokenizer"])).toBe(
        'config.yaml:2: tokenizer.name: Unknown tokenizer "tou". Did you mean toy? Available: toy.'
      )
      expect(yield* message("tokenizer:\n  size: 1\n", ["tokenizer"])).toBe(
        "config.yaml:1: tokenizer.name is missing; expected the name of a tokenizer plugin (toy)"
      )
      expect(yield* message("tokenizer: {name: [1]}", ["tokenizer"])).toBe(
        "config.yaml:1: tokenizer.name: expected the name of a tokenizer plugin (toy), got [1]"
      )
      expect(yield* message("tokenizer: 3\n", ["tokenizer"])).toBe(
        "config.yaml:1: tokenizer: expected a map with the key name, the name of a tokenizer plugin (toy), got 3"
      )
      expect(yield* message("{}", ["tokenizer"])).toBe(
        "config.yaml: tokenizer.name is missing; expected the name of a tokenizer plugin (toy)"
      )
    })
  })
})

describe("Config laws", () => {
  const scalars = FastCheck.oneof(
    FastCheck.integer(),
    FastCheck.string(),
    FastCheck.boolean(),
    FastCheck.constant(null),
    FastCheck.array(FastCheck.integer(), { maxLength: 3 })
  )
  const key = FastCheck.constantFrom("a", "b", "c")
  // Keys of maps differ from keys of other values: where one key is both, merging is not associative.
  const tree = FastCheck.letrec<{ tree: { [key: string]: unknown } }>((tie) => ({
    tree: FastCheck.tuple(
      FastCheck.dictionary(key, scalars),
      FastCheck.dictionary(
        key.map((name) => `map_${name}`),
        FastCheck.oneof({ maxDepth: 3 }, FastCheck.constant({}), tie("tree")),
        { maxKeys: 2 }
      )
    ).map(([leaves, maps]) => ({ ...leaves, ...maps }))
  })).tree
  const node = (input: { readonly [key: string]: unknown }) => Node.fromRecord(input, "test")

  it("merge is associative, has the empty map as its unit, and repeats without effect", () => {
    FastCheck.assert(
      FastCheck.property(tree, tree, tree, (a, b, c) => {
        const left = Node.merge(Node.merge(node(a), node(b)), node(c))
        const right = Node.merge(node(a), Node.merge(node(b), node(c)))
        expect(Node.toValue(left)).toEqual(Node.toValue(right))
        expect(Node.toValue(Node.merge(node({}), node(a)))).toEqual(a)
        expect(Node.toValue(Node.merge(node(a), node({})))).toEqual(a)
        expect(Node.toValue(Node.merge(node(a), node(a)))).toEqual(a)
      })
    )
  })

  it("what is inserted is found there, and removing it gives back what was there without it", () => {
    FastCheck.assert(
      FastCheck.property(
        tree,
        FastCheck.array(key, { minLength: 1, maxLength: 3 }),
        FastCheck.integer(),
        (a, path, n) => {
          const fresh = ["fresh", ...path]
          const inserted = Node.insert(node(a), fresh, Node.scalar(n, "later"))
          expect(Node.get(inserted, fresh)).toEqual(Node.scalar(n, "later"))
          expect(Node.toValue(Node.remove(inserted, ["fresh"]))).toEqual(a)
          expect(Node.get(Node.remove(inserted, fresh), fresh)).toBeUndefined()
        }
      )
    )
  })

  it.effect("YAML written and read again is the same value", () =>
    Effect.gen(function* () {
      const samples = FastCheck.sample(tree, { numRuns: 200, seed: 1 })
      for (const sample of samples) {
        const read = yield* ConfigStore.parseYaml(ConfigStore.toYaml(sample), "sample")
        expect(Node.toValue(read)).toEqual(sample)
      }
    })
  )

  it.effect("an override sets the value that its text is in JSON", () =>
    Effect.gen(function* () {
      for (const sample of FastCheck.sample(scalars, { numRuns: 100, seed: 1 })) {
        if (typeof sample === "string" && sample.includes("${")) continue
        const result = yield* value({ "config.yaml": "deep: {key: 0}" }, [`deep.key=${JSON.stringify(sample)}`])
        expect(result).toEqual({ deep: { key: sample } })
      }
    })
  )

  it("proposes a near name only", () => {
    expect(nearest("hiden_size", ["hidden_size", "num_layers"])).toBe("hidden_size")
    expect(nearest("LR", ["lr", "epochs"])).toBe("lr")
    expect(nearest("hidden", ["hidden_size", "vocab"])).toBe("hidden_size")
    expect(nearest("colour", ["hidden_size", "lr"])).toBeUndefined()
    expect(nearest("x", [])).toBeUndefined()
  })
})
