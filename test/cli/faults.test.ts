/**
 * Bad input, as a user meets it: one clear message on stderr, the right exit code, and nothing harmed.
 *
 * Oracle: the texts and the exit codes of src/bin.ts (2 for usage and config, 1 for failure). The full disk is a tmpfs of one
 * megabyte, which root may mount; the test says so where it cannot.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { make, text, tiny } from "./workspace.ts"

const workspace = make()
const { codex, directory, runs, write } = workspace

beforeAll(() => {
  write("empty.txt", "")
  write("latin1.txt", Buffer.from([...Buffer.from("a line\nna"), 0xef, 0x76, 0x65, 0x0a]))
  write("short.txt", "Tiny text.\n")
})
afterAll(() => workspace.remove())

const train = (...words: ReadonlyArray<string>) => ["train", ...tiny, ...words]

describe("bad input", () => {
  it.each([
    [
      "no file matches",
      train("data.paths=nope/*.txt"),
      1,
      /^nope\/\*\.txt: no file matches in \S+\. Check the spelling, or run the command in the directory that the path is relative to\.\n$/
    ],
    [
      "an empty file",
      train("data.paths=empty.txt"),
      1,
      /^empty\.txt: the file is empty\. Give files that contain text\.\n$/
    ],
    [
      "text that is not UTF-8",
      train("data.paths=latin1.txt"),
      1,
      /latin1\.txt:2: byte \d+ \(0xef\) is not UTF-8 text\. Convert the file, for example with `iconv -f WINDOWS-1252 -t UTF-8`/
    ],
    [
      "a vocabulary larger than the text allows",
      ["tokenizer", "train", "--data", "notes/*.txt", "--vocab-size", "9000", "--out", "t"],
      2,
      /A vocabulary of 9000 is larger than the text allows: \d+ distinct words .*give at most \d+ tokens\. Set vocab_size to \d+ or less/
    ],
    [
      "a context longer than the text",
      train("data.paths=short.txt"),
      2,
      /training\.context_length: a window of 32 tokens .* is longer than the training text, which has 10 tokens\. Lower the context length/
    ],
    [
      "an unknown plugin",
      train("model.name=decodr"),
      2,
      /^command line: model\.name: Unknown model "decodr"\. Did you mean decoder\? Available: decoder\.\n$/
    ],
    ["an unknown choice", train("model=tinny"), 2, /there is no config model\/tinny\.yaml; did you mean tiny\?/],
    [
      "an unknown key",
      train("training.lrr=1"),
      2,
      /^command line: training\.lrr is unknown; did you mean training\.lr\?/
    ],
    [
      "a wrong type",
      train("training.lr=fast"),
      2,
      /^command line: training\.lr: expected a number ≥ 1e-37 and ≤ 1e\+38, got "fast"\n$/
    ],
    [
      "a config that makes no model",
      train("model.hidden_size=33"),
      2,
      /Model decoder, num_attention_heads: 2 heads do not divide hidden_size 33\.\n$/
    ],
    ["a config that is not there", ["train", "--config", "no.yaml"], 2, /^no\.yaml: there is no such file\n$/],
    [
      "a run that is not there",
      ["evaluate", "--run", "runs/nope"],
      1,
      /^runs\/nope: There is no run here \(no config\.yaml\)\. Train one with `codex train`\.\n$/
    ],
    ["nothing to resume", train("--resume"), 1, /^runs: there is no run to resume\. Start one without --resume\.\n$/],
    [
      "a device that is not a device",
      train("backend.device=abacus"),
      2,
      /^command line: backend\.device: expected "auto" \|/
    ],
    [
      "an option out of range",
      ["generate", "--run", "x", "--top-p", "7"],
      2,
      /^Option "--top-p" must be a number ≥ 0 and ≤ 1\./
    ],
    [
      "no corpus",
      ["quickstart"],
      1,
      /The chapters of Moby-Dick are not installed\. .* codex quickstart --data 'path\/\*\.txt'/
    ]
  ] as const)("%s", async (_, words, code, message) => {
    const finished = await codex(...words)
    expect(finished.stderr).toMatch(message)
    expect(finished.stderr).not.toMatch(/\n {4}at |internal error/)
    expect(finished.code).toBe(code)
    expect(runs()).toEqual([])
  })

  it("a tokenizer that is already there is not replaced by another unless asked to", async () => {
    const trainer = (size: string, ...more: ReadonlyArray<string>) =>
      codex("tokenizer", "train", "--data=notes", `--vocab-size=${size}`, "--out", "tok", ...more)
    const first = await trainer("300")
    expect(first).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^300 tokens from 3 files, [\d.]+ kB\. One token represents [\d.]+ bytes/)
    })
    const file = readFileSync(join(directory, "tok/tokenizer.json"), "utf8")
    expect(await trainer("300")).toMatchObject({ code: 0, stdout: first.stdout })
    expect(await trainer("280")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        "tok: there is another tokenizer in this directory. vocab_size: 300 → 280: token ids change; a model trained"
      )
    })
    expect(readFileSync(join(directory, "tok/tokenizer.json"), "utf8")).toBe(file)
    expect(await trainer("280", "--force")).toMatchObject({ code: 0 })
    expect(
      Object.keys(JSON.parse(readFileSync(join(directory, "tok/tokenizer.json"), "utf8")).model.vocab)
    ).toHaveLength(280)
  })
})

describe("a corrupt checkpoint", () => {
  it("is refused by name, and --resume takes the one before it to the same end", async () => {
    expect(await codex(...train())).toMatchObject({ code: 0 })
    const [run = ""] = runs()
    const last = `${run}/checkpoints/step-00000020`
    const file = join(directory, last, "model.safetensors")
    const whole = readFileSync(file)
    truncateSync(file, 1000)
    const refused = await codex("evaluate", "--run", run, "--checkpoint", "20")
    expect(refused.stderr).toMatch(
      new RegExp(`^${last}/model\\.safetensors: The checkpoint is corrupt: this file has 1000 bytes instead of \\d+\\.`)
    )
    expect(refused.code).toBe(1)
    const missing = await codex("generate", "--run", run, "--checkpoint", "7")
    expect(missing.stderr).toContain("There is no checkpoint of step 7. There are checkpoints of the steps 10, 20.")
    const resumed = await codex(...train("--resume"))
    expect(resumed.stderr).toContain("resumed after step 10")
    expect(resumed.code).toBe(0)
    expect(readFileSync(file).equals(whole)).toBe(true)
  })
})

const mounted = ((): string | undefined => {
  const place = join(directory, "small")
  mkdirSync(place)
  return spawnSync("mount", ["-t", "tmpfs", "-o", "size=400k", "tmpfs", place]).status === 0 ? place : undefined
})()
afterAll(() => {
  if (mounted !== undefined) spawnSync("umount", [mounted])
})

describe("a full disk", () => {
  it.skipIf(mounted === undefined)(
    "(needs the right to mount) stops with the file, and leaves no half checkpoint",
    async () => {
      const small = make(mounted)
      try {
        const { code, stderr } = await small.codex("train", ...tiny)
        expect(stderr).toMatch(/(The checkpoint could not be written|no space left)/i)
        expect(stderr).toMatch(/space/)
        expect(stderr).not.toMatch(/\n {4}at |internal error/)
        expect(code).toBe(1)
        const [run = ""] = small.runs()
        const left = readdirSync(join(small.directory, run, "checkpoints"))
        expect(left.filter((name) => !name.startsWith("step-"))).toEqual([])
      } finally {
        small.remove()
      }
    }
  )
})

describe("a full disk at Ctrl-C", () => {
  it.skipIf(mounted === undefined)("(needs the right to mount) is reported instead of how to resume", async () => {
    const small = make(mounted)
    try {
      const words = tiny.filter((word) => !/max_steps|save_steps|eval_steps/.test(word))
      const child = small.start(
        "train",
        ...words,
        "training.max_steps=100000",
        "training.save_steps=100000",
        "training.logging_steps=100000",
        "training.eval_steps=100000",
        "logging=off"
      )
      await new Promise<void>((resolve) => {
        child.process.stderr?.on("data", (data: Buffer) => {
          if (data.toString().includes("/100000")) resolve()
        })
        child.finished.then(() => resolve())
      })
      spawnSync("dd", ["if=/dev/zero", `of=${join(small.directory, "filler")}`, "bs=1k"])
      child.process.kill("SIGINT")
      const { code, stderr } = await child.finished
      expect(stderr).toMatch(/Interrupted\. The run was not saved\.\n.*checkpoint.*space.*\n/i)
      expect(stderr.match(/could not be written/g)).toHaveLength(1)
      expect(stderr).not.toMatch(/Resume with|\n {4}at |internal error/)
      expect(code, stderr).toBe(130)
    } finally {
      small.remove()
    }
  })
})

describe("codex quickstart", () => {
  it("fits its settings to a short text, and does the whole job", async () => {
    writeFileSync(join(directory, "own.txt"), text(7, 40))
    const words = [
      "model.hidden_size=24",
      "model.num_attention_heads=2",
      "model.num_hidden_layers=1",
      "generation.max_new_tokens=8"
    ]
    const { code, stderr, stdout } = await codex("quickstart", "--data", "own.txt", ...words)
    expect(code).toBe(0)
    expect(stderr).toMatch(
      /This text is short for the usual settings: tokenizer\.train\.vocab_size 4096 → \d+, model\.max_position_embeddings 128 → \d+/
    )
    expect(stdout).toContain("Training loss, nats per token\n")
    expect(stdout).toMatch(/On held-out text\n\nmetric +value +± stderr +unit\nperplexity/)
    // The prompt is from this text, not from the one that the quickstart was made for.
    const [, prompt = ""] = /Generated from "(.+)"\n\n/.exec(stdout) ?? []
    expect(readFileSync(join(directory, "own.txt"), "utf8")).toContain(prompt)
    expect(stdout).toContain(`  codex generate --run runs/`)
    expect(stdout).not.toContain("Call me")
    expect(stdout).toMatch(/Written\n\nRun +runs\/\S+-quickstart-\S+\nCheckpoint/)
    expect(stdout).toContain("  codex export onnx --run runs/")
  })
})
