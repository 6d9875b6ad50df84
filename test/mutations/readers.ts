/**
 * The readers of files that others may have written, and valid files for each, from which damaged ones are made. Each reader is what a
 * program calls, up to a result: a config is checked by the plugins that it names, a tokenizer encodes, a checkpoint loads.
 */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the notation of interpolation is in some configs
import { createHash } from "node:crypto"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { TensorDatas } from "../../src/core/Backend.ts"
import * as Config from "../../src/core/config/Config.ts"
import type { Document } from "../../src/core/config/ConfigSource.ts"
import { RunConfig } from "../../src/core/config/RunConfig.ts"
import { Dataset } from "../../src/core/Dataset.ts"
import { Registry } from "../../src/core/plugin/Registry.ts"
import { Tokenizer } from "../../src/core/Tokenizer.ts"
import { TokenizerTrainer } from "../../src/core/TokenizerTrainer.ts"
import * as Safetensors from "../../src/core/tensor/Safetensors.ts"
import * as TokenizerJson from "../../src/core/tokenizer/TokenizerJson.ts"
import { CheckpointStore, TrainState } from "../../src/core/training/Checkpoint.ts"
import { packagedConfigs } from "../../src/jobs/Environment.ts"
import * as RunPlan from "../../src/jobs/RunPlan.ts"
import * as TrainingManifest from "../../src/jobs/tokenizers/TrainingManifest.ts"
import { builtins } from "../../src/plugins/builtins.ts"
import { NdjsonDataset } from "../../src/plugins/datasets/ndjson.ts"
import { HuggingFaceTokenizer } from "../../src/plugins/tokenizers/huggingface.ts"
import { SentencePieceTokenizer } from "../../src/plugins/tokenizers/sentencepiece.ts"
import { TiktokenTokenizer } from "../../src/plugins/tokenizers/tiktoken.ts"
import * as ConfigStore from "../../src/services/config/ConfigStore.ts"
import * as LogReader from "../../src/services/logs/LogReader.ts"
import * as PluginLoader from "../../src/services/plugins/PluginLoader.ts"
import * as CheckpointStoreLive from "../../src/services/runs/CheckpointStore.ts"

/** A valid file; `read` reads a damaged copy in its place. */
export interface Valid {
  readonly name: string
  readonly bytes: Uint8Array
  readonly read: (damaged: Uint8Array) => Effect.Effect<unknown, unknown, NodeContext.NodeContext>
}

/** Makes the files of a format in a folder, which exists as long as the scope. */
export type Format = (folder: string) => Effect.Effect<ReadonlyArray<Valid>, never, Scope.Scope>

const utf8 = (text: string) => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const sample = "Hello, wörld 123!\n"

const tensors: TensorDatas = {
  "model.embed.weight": { dtype: "float32", shape: [3, 4], data: Float32Array.from({ length: 12 }, (_, i) => i / 7) },
  "model.layers.0.norm": { dtype: "float32", shape: [4], data: new Float32Array(4) },
  ids: { dtype: "int32", shape: [2], data: Int32Array.of(1, -1) },
  mask: { dtype: "bool", shape: [3], data: Uint8Array.of(0, 1, 1) },
  scalar: { dtype: "float32", shape: [], data: Float32Array.of(1) }
}

const safetensors: Format = () => {
  const half = utf8(
    '{"h":{"dtype":"F16","shape":[3],"data_offsets":[0,6]},"g":{"dtype":"BF16","shape":[1],"data_offsets":[6,8]}}'
  )
  const head = Buffer.alloc(8)
  head.writeBigUInt64LE(BigInt(half.length))
  const files = {
    all: Buffer.concat(Safetensors.encode(tensors, { format: "pt" })),
    half: Buffer.concat([head, half, Buffer.alloc(8, 0x3c)]),
    empty: Buffer.concat(Safetensors.encode({}))
  }
  return Effect.succeed(
    Object.entries(files).map(([name, bytes]) => ({ name, bytes, read: (damaged) => Safetensors.decode(damaged) }))
  )
}

/** A config in the place of one of the files that `config.yaml` and `quickstart.yaml` are composed from. */
const configs = (files: ReadonlyArray<readonly [name: string, text: string]>) =>
  Effect.gen(function* () {
    const packaged = packagedConfigs()
    const configStore = ConfigStore.layer({ workingDirectory: packaged, packagedConfigs: packaged })
    const context = yield* Layer.build(Layer.provide(Layer.merge(builtins.layer, configStore), NodeContext.layer)).pipe(
      Effect.orDie
    )
    const undamaged = new Map<string, Document>()
    const read = (name: string) => (damaged: Uint8Array) =>
      Effect.gen(function* () {
        const source = yield* Config.ConfigSource
        const found = (group: string, file: string, from: Document) => {
          const key = `${group}/${file}`
          const known = undamaged.get(key)
          if (known !== undefined) return Effect.succeed(known)
          return Effect.tap(source.find(group, file, from), (read) => read && undamaged.set(key, read))
        }
        const document = Effect.map(
          ConfigStore.parseYaml(textOf(damaged), name),
          (root): Document => ({
            path: join(packaged, name),
            root: root._tag === "Map" ? root : { _tag: "Map", entries: new Map(), origin: name },
            packageName: undefined
          })
        )
        const isIt = (group: string, file: string) => `${group}/${file}.yaml` === name
        const primary = name.includes("/") ? join(packaged, "config.yaml") : name
        const overrides = name.includes("/")
          ? [`${name.split("/")[0]}=${name.split("/")[1]!.replace(".yaml", "")}`]
          : []
        const composed = yield* Config.compose({ primary, overrides, schema: RunConfig }).pipe(
          Effect.provideService(Config.ConfigSource, {
            ...source,
            primary: (path) => (path === name ? document : source.primary(path)),
            find: (group, file, from) => (isIt(group, file) ? document : found(group, file, from))
          })
        )
        const { text } = yield* RunPlan.decode(composed)
        return yield* RunPlan.decodeSaved(text, "saved")
      }).pipe(Effect.provide(context))
    return files.map(([name, text]): Valid => ({ name, bytes: utf8(text), read: read(name) }))
  })

const yaml: Format = () => {
  const names = readdirSync(packagedConfigs(), { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".yaml")
  )
  const own: ReadonlyArray<readonly [string, string]> = [
    [
      "own.yaml",
      "defaults: [{ model: tiny }, { optional data: moby-dick }, _self_]\n" +
        "evaluation: &b { seed: 1 }\ntraining: { <<: *b, epochs: 2 }\ntokenizer: { name: byte }\nname: run-${training.seed}\n" +
        "generation: { stop: [\"${name}\", '${oc.env:NOBODY,x}'], prompt: '${oc.decode:\"a\"}' }\nplugins: &p []\n"
    ]
  ]
  const shipped = names.map((name) => [name, readFileSync(join(packagedConfigs(), name), "utf8")] as const)
  return configs([...shipped, ...own])
}

/** JSON is YAML: a saved config as JSON, as the config of a run; and the JSON files that configure plugins. */
const json: Format = (folder) =>
  Effect.gen(function* () {
    const config = {
      model: {
        name: "decoder",
        hidden_size: 8,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        max_position_embeddings: 8
      },
      data: { name: "memory", documents: ["a", "b"], validation: { every: 2 } },
      tokenizer: { name: "bpe", train: { vocab_size: 300 } },
      training: { max_steps: 3, lr: 0.001, lr_schedule: "linear" },
      tracking: { ndjson: { file: "x.ndjson" } },
      evaluation: { metrics: ["loss"], stride: 4 }
    }
    const runs = yield* configs([["run.yaml", JSON.stringify(config, null, 1)]])
    const project = join(folder, "package.json")
    const manifest = {
      name: "project",
      version: "1.0.0",
      dependencies: { nothing: "1.0.0" },
      codex: {
        api: 1,
        plugins: {
          "tokenizer/emoji": "./plugin.js#Emoji",
          "metric/words": { module: "./words.js#Words", description: "words", reads: ["*.words"] }
        }
      }
    }
    return [
      ...runs,
      {
        name: "package.json",
        bytes: utf8(JSON.stringify(manifest)),
        read: (damaged) =>
          Effect.suspend(() => {
            writeFileSync(project, damaged)
            return PluginLoader.discover({ directory: folder, plugins: [] })
          })
      }
    ]
  })

const texts = [
  "Hello, wörld 123! It's a test.",
  "the cat sat on the mat. The cat!",
  "naïve café 東京 😀\n\tindent  two"
]

/** Small tokenizers of each algorithm, with every component that their trainers use and some that they do not. */
const tokenizerFiles = Effect.gen(function* () {
  const registry = yield* Registry
  const trained = yield* Effect.forEach(
    [
      ["bpe", { vocab_size: 290 }],
      ["bpe", { vocab_size: 295, byte_fallback: true, normalizer: ["nfkc", "lowercase"], pre_tokenizer: "metaspace" }],
      ["unigram", { vocab_size: 45 }],
      ["wordpiece", { vocab_size: 54, normalizer: ["nfd", "strip_accents"] }],
      ["wordlevel", { vocab_size: 20 }]
    ] as const,
    ([name, config], i) =>
      Effect.map(
        Effect.flatMap(registry.resolve(TokenizerTrainer.kind, name, { ...config, min_frequency: 1 }), (trainer) =>
          trainer.train(Stream.fromIterable(texts))
        ),
        ({ files }) => [`${name}-${i}`, files["tokenizer.json"]!] as const
      )
  )
  const rare = Schema.encodeSync(TokenizerJson.TokenizerJson)(
    TokenizerJson.make({
      added_tokens: [
        TokenizerJson.specialToken(4, "<s>"),
        { ...TokenizerJson.specialToken(5, "AB"), special: false, normalized: true }
      ],
      normalizer: {
        type: "Sequence",
        normalizers: [
          { type: "Prepend", prepend: "▁" },
          { type: "Replace", pattern: { String: " " }, content: "▁" },
          { type: "Replace", pattern: { Regex: "\\s{2,}" }, content: " " },
          { type: "Strip", strip_left: true, strip_right: false },
          { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true }
        ]
      },
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [
          { type: "Split", pattern: { Regex: "(?i:'s|'t)|\\p{L}+|\\p{N}{1,3}" }, behavior: "Isolated", invert: false },
          { type: "Digits", individual_digits: true },
          { type: "Punctuation", behavior: "Isolated" },
          { type: "FixedLength", length: 5 }
        ]
      },
      post_processor: TokenizerJson.clsAndSep(["<s>", 4], ["<s>", 4]),
      decoder: {
        type: "Sequence",
        decoders: [
          { type: "Replace", pattern: { String: "▁" }, content: " " },
          { type: "ByteFallback" },
          { type: "Fuse" },
          { type: "Strip", content: " ", start: 1, stop: 0 }
        ]
      },
      model: TokenizerJson.bpe({ vocab: { a: 0, b: 1, ab: 2, c: 3 }, merges: ["a b"], unk_token: "c" })
    })
  )
  return [...trained, ["rare", JSON.stringify(rare)] as const]
}).pipe(Effect.scoped, Effect.provide(Layer.provide(builtins.layer, NodeContext.layer)), Effect.orDie)

/** Everything that a tokenizer does with a short text. */
const use = Effect.gen(function* () {
  const tokenizer = yield* Tokenizer
  const ids = tokenizer.encode(sample)
  tokenizer.encodeWithSpecialTokens(`<s>${sample}`)
  tokenizer.encodeWithOffsets(sample)
  Object.keys(tokenizer.files)
  return yield* tokenizer.decode(ids)
})

const tokenizer: Format = (folder) =>
  Effect.map(tokenizerFiles, (files) =>
    files.map(([name, text]): Valid => {
      const path = join(folder, `${name}.json`)
      return {
        name,
        bytes: utf8(text),
        read: (damaged) =>
          Effect.suspend(() => {
            writeFileSync(path, damaged)
            return Effect.provide(use, HuggingFaceTokenizer.layer({ path }))
          })
      }
    })
  )

const SentencePieceFixture = Schema.parseJson(
  Schema.Struct({ models: Schema.Record({ key: Schema.String, value: Schema.Struct({ model: Schema.String }) }) })
)

/** The other files of tokenizers: those beside a tokenizer.json, ranks of tiktoken, a SentencePiece model. */
const tokenizerFolder: Format = (folder) =>
  Effect.gen(function* () {
    const files = new Map<string, string>(yield* tokenizerFiles)
    mkdirSync(join(folder, "hf"))
    writeFileSync(join(folder, "hf", "tokenizer.json"), files.get("rare")!)
    const beside = {
      "tokenizer_config.json": {
        added_tokens_decoder: { "4": { content: "<s>", special: true }, "6": { content: "<e>", lstrip: true } },
        bos_token: "<s>",
        eos_token: { content: "<e>", special: true },
        additional_special_tokens: ["<t>"],
        add_bos_token: true,
        chat_template: "{% for m in messages %}{{ m.content }}{% endfor %}"
      },
      "special_tokens_map.json": { bos_token: "<s>", pad_token: { content: "<pad>" } },
      "added_tokens.json": { "<u>": 9 }
    }
    const byte = (i: number) => `${Buffer.from([i]).toString("base64")} ${i}`
    const ranks = [...Array.from({ length: 256 }, (_, i) => byte(i)), `${Buffer.from("he").toString("base64")} 256`]
    const fixture = Schema.decodeUnknownSync(SentencePieceFixture)(
      readFileSync("test/fixtures/sentencepiece.json", "utf8")
    )
    const load =
      (path: string, layer: Layer.Layer<Tokenizer, unknown, NodeContext.NodeContext>) => (damaged: Uint8Array) =>
        Effect.suspend(() => {
          writeFileSync(path, damaged)
          return Effect.provide(use, layer)
        })
    const [tiktoken, piece] = [join(folder, "x.tiktoken"), join(folder, "x.model")]
    return [
      ...Object.entries(beside).map(([name, content]): Valid => {
        const path = join(folder, "hf", name)
        const bytes = utf8(JSON.stringify(content))
        return {
          name,
          bytes,
          read: (damaged) =>
            Effect.ensuring(
              load(path, HuggingFaceTokenizer.layer({ path: join(folder, "hf") }))(damaged),
              Effect.sync(() => rmSync(path))
            )
        }
      }),
      {
        name: "ranks",
        bytes: utf8(`${ranks.join("\n")}\n`),
        read: load(tiktoken, TiktokenTokenizer.layer({ path: tiktoken, encoding: "gpt2" }))
      },
      ...Object.entries(fixture.models).map(([name, { model }]) => ({
        name,
        bytes: Buffer.from(model, "base64"),
        read: load(piece, SentencePieceTokenizer.layer({ path: piece }))
      }))
    ]
  })

const lines = [
  '{"text": "Call me Ishmael.", "chapter": 1}',
  '{"text": "Some years ago \\u2014 never mind", "meta": {"a": [1, 2, {"b": null}]}}',
  "",
  '{"text": ""}',
  '{"text": "wörld"}'
].join("\n")

const ndjson: Format = (folder) => {
  const path = join(folder, "data.ndjson")
  return Effect.succeed([
    {
      name: "data.ndjson",
      bytes: utf8(lines),
      read: (damaged) =>
        Effect.suspend(() => {
          writeFileSync(path, damaged)
          return Effect.gen(function* () {
            const dataset = yield* Dataset
            yield* Stream.runDrain(dataset.documents("train"))
            yield* Stream.runDrain(dataset.documents("validation"))
          }).pipe(Effect.provide(NdjsonDataset.layer({ paths: path, validation: { fraction: 0.5 } })))
        })
    }
  ])
}

const events = [
  { ts: 1764000000.5, session_id: "a", role: "user", message: "hello", level: "INFO", metadata: { tokens: 3 } },
  { ts: "2026-11-27T10:00:00Z", session_id: "a", role: "system", message: "x\ny", metadata: '{"a":[1]}' },
  { time: 1764000001, message: "only", extra: { deep: [[1]] } }
]

const log: Format = (folder) => {
  const path = join(folder, "log.ndjson")
  return Effect.succeed([
    {
      name: "log.ndjson",
      bytes: utf8(`${events.map((event) => JSON.stringify(event)).join("\n")}\n`),
      read: (damaged) =>
        Effect.gen(function* () {
          writeFileSync(path, damaged)
          const opened = yield* LogReader.open({ path })
          const found = yield* Stream.runCollect(opened.events({}))
          return JSON.stringify([...found])
        }).pipe(Effect.scoped)
    }
  ])
}

/** The files of a run. Where a manifest has the hash of the damaged file, the hash is that of the damaged file. */
const manifests: Format = (folder) =>
  Effect.gen(function* () {
    const state = new TrainState({
      step: 3,
      seed: 1,
      tokens: 96,
      loss: 2.5,
      best: { step: 2, loss: 2.25 },
      sinceBest: 1,
      finished: null
    })
    const store = yield* CheckpointStore
    const config = yield* RunPlan.decodeSaved(
      "model: {name: decoder, hidden_size: 8}\ndata: {name: memory, documents: [a]}\ntokenizer: {name: byte}\n",
      "x"
    )
    const path = yield* store.save(join(folder, "checkpoints"), {
      state,
      parameters: tensors,
      optimizer: tensors,
      files: { "config.json": '{"a":1}', "run.yaml": RunPlan.textOf(config) },
      provenance: { device: "cpu" }
    })
    const contents = (file: string) => readFileSync(join(path, file))
    const manifest = textOf(contents("manifest.json"))
    const loading = (file: string): Valid => {
      const bytes = contents(file)
      return {
        name: file,
        bytes,
        read: (damaged) =>
          Effect.suspend(() => {
            writeFileSync(join(path, file), damaged)
            if (file !== "manifest.json")
              writeFileSync(join(path, "manifest.json"), rehashed(manifest, file, bytes, damaged))
            return store.load(path)
          }).pipe(
            Effect.ensuring(
              Effect.sync(() => {
                writeFileSync(join(path, file), bytes)
                writeFileSync(join(path, "manifest.json"), manifest)
              })
            )
          )
      }
    }
    const training = TrainingManifest.render({
      format: 1,
      algorithm: "bpe",
      settings: { vocab_size: 300 },
      data: { files: [{ path: "x", bytes: 3, sha256: "abc" }] },
      versions: { codex: "0.1.0" },
      statistics: { tokens: 2 }
    })
    return [
      ...["manifest.json", "state.json", "model.safetensors", "config.json"].map(loading),
      {
        name: "run.yaml",
        bytes: utf8(RunPlan.textOf(config)),
        read: (damaged) => RunPlan.decodeSaved(textOf(damaged), "run.yaml")
      },
      {
        name: "tokenizer manifest",
        bytes: utf8(training),
        read: (damaged) =>
          Effect.suspend(() => {
            writeFileSync(join(folder, TrainingManifest.fileName), damaged)
            return TrainingManifest.read(folder)
          })
      }
    ]
  }).pipe(Effect.provide(Layer.provideMerge(CheckpointStoreLive.layer, NodeContext.layer)), Effect.orDie)

const hashOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

const rehashed = (manifest: string, file: string, before: Uint8Array, after: Uint8Array) =>
  manifest
    .replace(hashOf(before), hashOf(after))
    .replace(new RegExp(`("${file}": \\{[^}]*"bytes": )\\d+`), (_, start: string) => `${start}${after.length}`)

export const formats: { readonly [name: string]: Format } = {
  safetensors,
  yaml,
  json,
  tokenizer,
  "tokenizer folder": tokenizerFolder,
  ndjson,
  log,
  manifests
}

/** A folder for the files of a format, in the scope. */
export const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "codex-mutations-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)
