/**
 * Other readers open the files of a run: @huggingface/hub the header of model.safetensors; Python all of it, with the
 * standard library and the description of the format; @huggingface/tokenizers the tokenizer.json. Oracles: those readers.
 * The second needs python3 and is skipped with a visible reason without it.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseSafetensorsMetadata } from "@huggingface/hub"
import { Tokenizer as HuggingFace } from "@huggingface/tokenizers"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Tokenizer } from "../src/core/Tokenizer.ts"
import { CheckpointStore } from "../src/core/training/Checkpoint.ts"
import { ByteTokenizer } from "../src/plugins/tokenizers/byte.ts"
import { checkpointOf, prepare, trainIn } from "./training/run.ts"
import { files } from "./training/tiny.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-interop-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
beforeAll(() => Effect.runPromise(trainIn(prepare(folder, { max_steps: 3 }))))

/** The layout of https://github.com/huggingface/safetensors#format, with the checks that its readers make. */
const reader = `
import hashlib, json, struct, sys
raw = open(sys.argv[1], "rb").read()
(size,) = struct.unpack("<Q", raw[:8])
assert raw[8:9] == b"{" and size % 8 == 0
header, body = json.loads(raw[8 : 8 + size]), raw[8 + size :]
metadata = header.pop("__metadata__", {})
assert all(type(value) is str for value in metadata.values())
end, tensors = 0, {}
for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
    start, stop = entry["data_offsets"]
    count = 1
    for length in entry["shape"]:
        count *= length
    assert entry["dtype"] == "F32" and start == end and stop - start == 4 * count, name
    values = struct.unpack("<%df" % count, body[start:stop])
    tensors[name] = {"shape": entry["shape"], "first": values[0], "last": values[-1], "sum": sum(values)}
    end = stop
assert end == len(body)
print(json.dumps({"metadata": metadata, "tensors": tensors}))
`

const python = spawnSync("python3", ["-c", "import json, struct"]).status === 0

/** A model hub, as far as a reader of headers needs it: one file, complete or in ranges. */
const hub = (file: Buffer) =>
  createServer((request, response) => {
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "")
    const [start, end] = range === null ? [0, file.length] : [Number(range[1]), Number(range[2]) + 1]
    const part = file.subarray(start, end)
    response.writeHead(range === null ? 200 : 206, {
      "accept-ranges": "bytes",
      "content-length": part.length,
      "content-range": `bytes ${start}-${start + part.length - 1}/${file.length}`,
      etag: '"model"'
    })
    response.end(request.method === "HEAD" ? undefined : part)
  })

describe("model.safetensors", () => {
  it("opens in @huggingface/hub, which checks every entry, with the dtypes and shapes of the checkpoint", async () => {
    const path = checkpointOf(folder)
    const server = hub(readFileSync(join(path, "model.safetensors")))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const address = server.address()
    const port = typeof address === "object" ? address?.port : undefined
    try {
      const read = await parseSafetensorsMetadata({
        repo: "codex/model",
        path: "model.safetensors",
        hubUrl: `http://127.0.0.1:${port}`,
        computeParametersCount: true
      })
      if (read.sharded) throw new Error("one file was written")
      const { parameters } = await Effect.runPromise(
        Effect.flatMap(CheckpointStore, (store) => store.load(path)).pipe(Effect.provide(files))
      )
      const { __metadata__: metadata, ...tensors } = read.header
      expect(metadata).toEqual({ format: "pt" })
      const shapes = Object.entries(parameters).map(([name, { shape }]) => [name, { dtype: "F32", shape }])
      expect(
        Object.fromEntries(Object.entries(tensors).map(([name, { dtype, shape }]) => [name, { dtype, shape }]))
      ).toEqual(Object.fromEntries(shapes))
      expect(read.parameterCount).toEqual({
        F32: Object.values(parameters).reduce((sum, { data }) => sum + data.length, 0)
      })
    } finally {
      server.close()
    }
  })

  it("opens in Python, with the names, shapes and numbers of the checkpoint", async (context) => {
    if (!python) return context.skip("no python3 on this machine to read the file with")
    const path = checkpointOf(folder)
    const { status, stderr, stdout } = spawnSync("python3", ["-c", reader, join(path, "model.safetensors")], {
      encoding: "utf8"
    })
    expect(status, stderr).toBe(0)
    const read = JSON.parse(stdout)
    const { parameters } = await Effect.runPromise(
      Effect.flatMap(CheckpointStore, (store) => store.load(path)).pipe(Effect.provide(files))
    )
    expect(read.metadata).toEqual({ format: "pt" })
    expect(Object.keys(read.tensors).sort()).toEqual(Object.keys(parameters).sort())
    expect(read.tensors).toHaveProperty(["model.layers.0.self_attn.q_proj.weight", "shape"], [16, 16])
    for (const [name, { data, shape }] of Object.entries(parameters)) {
      const sum = Array.from(data).reduce((total, value) => total + value, 0)
      expect(read.tensors[name], name).toEqual({ shape, first: data[0], last: data.at(-1), sum })
    }
  })
})

describe("tokenizer.json", () => {
  it("opens in @huggingface/tokenizers, with the same ids", async () => {
    const json = JSON.parse(readFileSync(join(checkpointOf(folder), "tokenizer.json"), "utf8"))
    const theirs = new HuggingFace(json, {})
    const ours = await Effect.runPromise(Effect.provide(Tokenizer, ByteTokenizer.layer({})))
    for (const text of ["Call me Ishmael.", "naïve — 😀\n\ttabs  spaces", "0123 don't"]) {
      expect(theirs.encode(text).ids).toEqual(Array.from(ours.encode(text)))
    }
  })
})

describe("config.json", () => {
  it("describes the parameters as a Llama, with the names of Hugging Face", () => {
    const config = JSON.parse(readFileSync(join(checkpointOf(folder), "config.json"), "utf8"))
    expect(config).toMatchObject({
      model_type: "llama",
      architectures: ["LlamaForCausalLM"],
      vocab_size: 257,
      hidden_size: 16,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      max_position_embeddings: 16
    })
  })

  // With these files AutoTokenizer and `AutoModelForCausalLM.from_pretrained(checkpoint).generate()` of transformers 5.18 took
  // the same ids for byte, bpe, wordpiece and unigram, and stopped at the token that ends a document for the last three (the
  // text of byte did not come to it). The text was that of `codex generate`, but for wordpiece, which adds [CLS] and [SEP].
  it("and generation_config.json have the ids of the special tokens that the tokenizer's files name", () => {
    const read = (file: string) => JSON.parse(readFileSync(join(checkpointOf(folder), file), "utf8"))
    const { added_tokens } = read("tokenizer.json")
    const named = read("tokenizer_config.json")
    const idOf = (role: string) =>
      added_tokens.find(({ content }: { readonly content: string }) => content === named[role])?.id ?? null
    const ids = ["bos", "eos", "pad"].map((role) => [`${role}_token_id`, idOf(`${role}_token`)] as const)
    expect(ids).toEqual([
      ["bos_token_id", null],
      ["eos_token_id", 256],
      ["pad_token_id", null]
    ])
    const config = read("config.json")
    for (const [key, id] of ids) expect(config).toHaveProperty(key, id)
    expect(read("generation_config.json")).toEqual({ eos_token_id: 256 })
  })
})
