/**
 * `codex tokenizer …` as a user runs it: real child processes in a temporary directory.
 *
 * Oracles: bytes of UTF-8 for the tokenizer of bytes, the files that were written here, a second run, and the messages as
 * written down beforehand.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { root } from "../../scripts/build.mjs"
import { startProgram } from "./children.ts"
import { make, text } from "./workspace.ts"

const { directory, remove, start, write } = make()
afterAll(remove)

const bin = join(root, "dist/bin.js")
const run = (words: ReadonlyArray<string>, input: string | Buffer = "") =>
  startProgram(process.execPath, [bin, "tokenizer", ...words], { cwd: directory, input }).finished
const at = (name: string) => join(directory, name)
const files = (name: string) =>
  Object.fromEntries(readdirSync(at(name)).map((file) => [file, readFileSync(at(`${name}/${file}`), "utf8")]))

beforeAll(() => {
  write("rows.jsonl", [1, 2, 3].map((seed) => `${JSON.stringify({ body: text(seed, 50) })}\n`).join(""))
  write("latin1.txt", Buffer.from("a line\nna\xefve\n", "latin1"))
  write("torn/tokenizer.json", '{"model": {"type": "BPE", "vocab": {')
})

describe("train", () => {
  const words = ["train", "--data", "notes", "--special-token", "<|endoftext|>", "--special-token", "<pad>"]

  it("shows its plan and writes nothing", async () => {
    const { code, stdout } = await run([...words, "--vocab-size", "300,280", "--out", "a", "--dry-run"])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^notes\/1\.txt +\d+ +[0-9a-f]{16}$/m)
    expect(stdout).toMatch(/^Data +3 files, [\d.]+ kB$/m)
    expect(stdout).toMatch(/^special_tokens +\["<\|endoftext\|>","<pad>"\]$/m)
    expect(stdout).toMatch(/^ +300 +a\/300 +nothing$/m)
    expect(existsSync(at("a"))).toBe(false)
  })

  it("writes the same files again, and refuses other settings without --force", async () => {
    expect(await run([...words, "--vocab-size", "300", "--out", "b"])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^300 tokens from 3 files, [\d.]+ kB\. One token represents [\d.]+ bytes of that text/
      )
    })
    const before = files("b")
    expect(Object.keys(before).sort()).toEqual([
      "manifest.json",
      "special_tokens_map.json",
      "tokenizer.json",
      "tokenizer_config.json"
    ])
    const other = ["train", "--data=notes/3.txt", "--data=notes/2.txt", "--data=notes/1.txt", ...words.slice(3)]
    expect((await run([...other, "--vocab-size", "300", "--out", "b"])).code).toBe(0)
    expect(files("b")).toEqual(before)
    const changed = [...words, "--vocab-size", "300", "--out", "b", "--normalizer", "nfkc,lowercase"]
    expect(await run(changed)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        "b: there is another tokenizer in this directory. normalizer: [] → [nfkc, lowercase]: token ids change; " +
          "a model trained with the old tokenizer cannot use the new one. Choose another --out, or replace it with --force.\n"
      )
    })
    expect(files("b")).toEqual(before)
    const forced = await run([...changed, "--force"])
    expect(forced).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(
        "b: another tokenizer was replaced. normalizer: [] → [nfkc, lowercase]: token ids"
      )
    })
    const normalizer = JSON.parse(files("b")["tokenizer.json"] ?? "").normalizer
    expect(JSON.stringify(normalizer)).toMatch(/NFKC.*Lowercase/)
  })

  it("reads a field of NDJSON: the same texts give the same tokenizer", async () => {
    expect(
      (await run(["train", "--data", "rows.jsonl", "--field", "body", "--vocab-size", "280,300", "--out", "c"])).code
    ).toBe(0)
    expect((await run(["train", "--data", "notes", "--vocab-size", "300", "--out", "d"])).code).toBe(0)
    expect(readdirSync(at("c")).sort()).toEqual(["280", "300"])
    expect(files("c/300")["tokenizer.json"]).toBe(files("d")["tokenizer.json"])
  })

  it("leaves nothing behind when it is interrupted", async () => {
    write("large.txt", text(4, 200_000))
    const child = start("tokenizer", "train", "--data", "large.txt", "--vocab-size", "300", "--out", "e")
    await new Promise((resolve) => child.process.stderr?.once("data", resolve))
    child.process.kill("SIGINT")
    expect((await child.finished).code).toBe(130)
    expect(readdirSync(directory).filter((name) => name === "e" || name.startsWith(".tokenizer"))).toEqual([])
  })
})

describe("encode and decode", () => {
  const line = 'Naïve 東京\t<|endoftext|> "x"\n'

  it("prints ids, and takes them back to the same bytes", async () => {
    const ids = await run(["encode", "--tokenizer", "byte"], line)
    expect(ids).toMatchObject({ code: 0, stdout: `${[...Buffer.from(line)].join(" ")}\n`, stderr: "" })
    expect(await run(["decode", "--tokenizer", "byte"], ids.stdout)).toMatchObject({
      code: 0,
      stdout: line,
      stderr: ""
    })
  })

  it("takes special tokens for what they are when asked to", async () => {
    const json = JSON.parse(
      (await run(["encode", "--tokenizer", "byte", "--parse-special-tokens", "--format", "json", "é<|endoftext|>"]))
        .stdout
    )
    expect(json).toEqual({
      ids: [195, 169, 256],
      tokens: ["Ã", "©", "<|endoftext|>"],
      offsets: [
        [0, 1],
        [0, 1],
        [1, 14]
      ]
    })
    expect((await run(["decode", "--tokenizer", "byte", "[195, 169, 256]"])).stdout).toBe("é")
    expect((await run(["decode", "--tokenizer", "byte", "--keep-special-tokens", "104", "256"])).stdout).toBe(
      "h<|endoftext|>"
    )
  })

  it("prints tokens in a table, and control characters in visible form", async () => {
    write("escape.txt", "a\u001b")
    expect((await run(["encode", "--tokenizer", "byte", "--format", "table", "--file", "escape.txt"])).stdout).toBe(
      "id  token  start  end  text\n97  a          0    1  a\n27  ě          1    2  ␛\n"
    )
  })

  it("encodes a line of 10 MB", async () => {
    const { code, stdout } = await run(["encode", "--tokenizer", "byte"], "a".repeat(10_000_000))
    expect([code, stdout.length]).toEqual([0, 30_000_000])
  })
})

describe("inspect, compare and export", () => {
  it("shows what a tokenizer is made of, and how it splits", async () => {
    const { code, stdout } = await run(["inspect", "--tokenizer", "byte", "--text", "é\u001b[1m"])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^Algorithm +byte-level BPE$/m)
    expect(stdout).toMatch(/^Vocabulary +257$/m)
    expect(stdout).toMatch(/^<\|endoftext\|> +256 +eos_token$/m)
    expect(stdout).toMatch(/^Bytes per token +1\.00$/m)
    expect(stdout).toMatch(/^6 tokens\né\|·\|␛\|\[\|1\|m$/m)
    const json = JSON.parse(
      (await run(["inspect", "--tokenizer", "byte", "--data", "notes", "--format", "json"])).stdout
    )
    const bytes = [1, 2, 3].reduce((sum, seed) => sum + text(seed, 50).length, 0)
    expect(json).toMatchObject({
      vocabulary_size: 257,
      special_tokens: [{ token: "<|endoftext|>", id: 256, roles: ["eos_token"] }],
      statistics: { documents: 3, tokens: bytes, round_trip_faults: 0 }
    })
  })

  it("exports a folder that is opened as the same tokenizer", async () => {
    expect((await run(["export", "--tokenizer", "byte", "--out", "exported"])).code).toBe(0)
    expect((await run(["encode", "--tokenizer", "exported", "hé"])).stdout).toBe("104 195 169\n")
    const json = JSON.parse(
      (await run(["compare", "--tokenizer=byte", "--tokenizer=exported", "--data", "notes", "--format", "json"])).stdout
    )
    expect(json.differences).toEqual([])
    expect(json.tokenizers[0].tokens).toBe(json.tokenizers[1].tokens)
  })
})

describe("what cannot be done", () => {
  it.concurrent.each([
    [
      "no tokenizer",
      ["inspect", "--tokenizer", "nope"],
      1,
      /^nope: there is no such file or directory, and no tokenizer plugin/
    ],
    ["a truncated file", ["inspect", "--tokenizer", "torn"], 1, /^torn\/tokenizer\.json: is not JSON \(/],
    [
      "no UTF-8",
      ["encode", "--tokenizer", "byte", "--file", "latin1.txt"],
      1,
      /^latin1\.txt:2: byte 9 \(0xef\) is not UTF-8/
    ],
    [
      "a folder as text",
      ["encode", "--tokenizer", "byte", "--file", "notes"],
      1,
      /^notes: is a directory\. Give a file\.\n$/
    ],
    [
      "two texts",
      ["encode", "--tokenizer", "byte", "--file", "x", "y"],
      2,
      /^Give the text or --file, not both\.\n\nUsage: /
    ],
    [
      "a word for an id",
      ["decode", "--tokenizer", "byte", "1", "x\u001b"],
      1,
      /^Word 2, "x␛", is not a token id\. Ids are/
    ],
    [
      "one to compare",
      ["compare", "--tokenizer", "byte", "--text", "x"],
      2,
      /^Option "--tokenizer" must be given twice/
    ],
    ["an unknown key", ["train", "--data", "notes", "--out", "x", "--normalizer", "nfx"], 2, /normalizer.*got "nfx"/],
    [
      "a device as folder",
      ["export", "--tokenizer", "byte", "--out", "/dev/full"],
      1,
      /^\/dev\/full could not be written: \/dev\/full is not a directory\. /
    ]
  ] as const)("%s", async (_, words, code, message) => {
    const finished = await run(words)
    expect(finished.stderr).toMatch(message)
    expect(finished.stderr).not.toMatch(/\n {4}at |internal error/)
    expect(finished.code).toBe(code)
    expect(existsSync(at("x"))).toBe(false)
  })

  it("a full disk behind stdout", async () => {
    const line = `"${process.execPath}" "${bin}" tokenizer encode --tokenizer byte hi > /dev/full`
    const { code, stderr } = await startProgram("sh", ["-c", line], { cwd: directory }).finished
    expect(stderr).toMatch(
      /^stdout: the result could not be written: ENOSPC.* Check the free space where it is written\.\n$/
    )
    expect(code).toBe(1)
  })
})
