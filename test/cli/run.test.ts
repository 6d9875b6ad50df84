/**
 * The commands that make and use a run, as real children on a small text: one run, then everything that can be done with it.
 *
 * Oracles: files on disk, seeds that give equal text, the logits of a bare onnxruntime-node session against the metrics that
 * `codex evaluate` reports. Needs the bundle (test/globalSetup.ts) and the CPU.
 */
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { InferenceSession, Tensor } from "onnxruntime-node"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Child, Finished } from "./children.ts"
import { make, tiny } from "./workspace.ts"

const workspace = make()
const { codex, directory, runs } = workspace
const read = (path: string) => readFileSync(join(directory, path), "utf8")
let trained: Finished
let run = ""

beforeAll(async () => {
  trained = await codex("train", ...tiny)
  run = runs()[0] ?? ""
})
afterAll(() => workspace.remove())

describe("codex train", () => {
  it("writes a run and says where it is and what to try next", () => {
    expect(trained.code).toBe(0)
    expect(trained.stdout).toMatch(
      /^Completed 20 updates, 2\.56 k tokens; last loss [\d.]+ nats\/token\.\nBest held-out loss: [\d.]+ nats\/token at step 20\./
    )
    expect(trained.stdout).toContain(`Checkpoint  ${run}/checkpoints/step-00000020\n`)
    expect(trained.stdout).toContain(`  codex evaluate --run ${run}\n`)
    expect(trained.stderr).toMatch(/step 10: held-out loss [\d.]+ nats\/token, [\d.]+ bits\/byte, the best so far\n/)
    expect(trained.stderr).toMatch(
      /\[#{20}\] 20\/20 {2}epoch [\d.]+ {2}loss [\d.]+ {2}lr [\d.]+ {2}grad [\d.]+ {2}[\d.]+ bits\/byte {2}[\d.]+ (k )?tokens\/s {2}completed\n/
    )
    expect(read(`${run}/metrics.ndjson`).match(/"split":"train"/g)).toHaveLength(20)
    expect(read(".codex/hydra_last/config.yaml")).toBe(read(`${run}/config.yaml`))
  })

  it("reports a finished run as finished, whether found by its config or named", async () => {
    expect(await codex("train", ...tiny, "--resume")).toMatchObject({ code: 0, stdout: trained.stdout })
    expect(await codex("train", "--run", run, "--resume")).toMatchObject({ code: 0, stdout: trained.stdout })
    expect(runs()).toEqual([run])
  })

  it("says what it looked for when no run has the config", async () => {
    const { code, stderr } = await codex("train", ...tiny, "training.lr=0.5", "--resume")
    expect(stderr).toBe(
      `runs: the only run does not have this config, so there is nothing to resume. The newest, ${run}, differs in ` +
        "training.lr (0.001 there, 0.5 here). Start a new run without --resume, or name the run with --run.\n"
    )
    expect(code).toBe(1)
  })

  it("refuses another config for a run that is named", async () => {
    const { code, stderr } = await codex("train", ...tiny, "--run", run, "--seed", "9")
    expect(stderr).toMatch(/^runs\/\S+: this run was made with another config: training\.seed \(42 there, 9 here\)\. /)
    expect(code).toBe(2)
  })

  it("applies overrides to the config of the run that is named: what cannot change is refused by name", async () => {
    const { code, stderr } = await codex("train", "--run", run, "training.max_steps=24", "training.lr=0.5")
    expect(stderr).toContain("was made with another config: training.lr (0.001 there, 0.5 here). A run that is resumed")
    expect(stderr).toContain(`start a new run from its weights: codex train --from ${run} …\n`)
    expect(code).toBe(2)
  })

  it("refuses data that changed, continues on it when told to, and starts from the weights", async () => {
    workspace.write("notes/4.txt", "a file that was added\n")
    const copy = "runs/copy"
    cpSync(join(directory, run), join(directory, copy), { recursive: true })
    const longer = ["--run", copy, "training.max_steps=22"]
    const { code, stderr } = await codex("train", ...longer)
    expect(stderr).toMatch(/^runs\/copy: the data is not the data .* until update 20: added notes\/4\.txt[;.]/)
    expect(code).toBe(2)
    const continued = await codex("train", ...longer, "--data-changed=continue")
    expect(continued.stderr).toContain("warning: runs/copy: the data changed after update 20: added notes/4.txt")
    expect(continued.stdout).toMatch(/^Completed 22 updates, /)
    rmSync(join(directory, "notes/4.txt"))
    const child = await codex("train", "--from", run, "training.max_steps=1", "training.lr=1e-4")
    expect(child.stdout).toMatch(/^Completed 1 update, /)
    const made = runs().find((name) => name !== run && name !== copy) ?? ""
    expect(read(`${made}/config.yaml`)).toContain(`from: ${run}\n`)
    for (const name of [copy, made]) rmSync(join(directory, name), { recursive: true })
  })

  it("prints a finished run and a dry run as one JSON document", async () => {
    const finished = await codex("train", "--run", run, "--json")
    expect(JSON.parse(finished.stdout)).toMatchObject({
      ...{ run, checkpoint: `${run}/checkpoints/step-00000020`, config: `${run}/config.yaml` },
      ...{ step: 20, tokens: 2560, seed: 42, best: { step: 20 }, finish_reason: "completed" }
    })
    const dry = await codex("train", ...tiny, "+dry_run=true", "--json")
    expect(JSON.parse(dry.stdout)).toMatchObject({ updates: 20, numbers: 35_008, thread_dependence: [] })
    expect(runs()).toEqual([run])
  })

  it("tries a config without a run: shapes, sizes, time", async () => {
    const { code, stdout } = await codex("train", ...tiny, "+dry_run=true")
    expect(code).toBe(0)
    expect(stdout).toMatch(/model\.layers\.\*\.mlp\.gate_proj\.weight +\[96, 32\] +2 +6144\n/)
    // Tied table 257·32, two blocks of 4·32² + 3·96·32 + 2·32, a last norm of 32.
    expect(stdout).toContain("Parameters         35008 (35 k)\n")
    expect(stdout).toMatch(/\nUpdates {12}20 \(\d+ per epoch\)\nTokens per update {2}128\n/)
    expect(stdout).toMatch(/Time per update {4}[\d.]+ m?s, [\d.]+ (k )?tokens\/s\n/)
    expect(stdout).toMatch(/Memory +about [\d.]+ [MG]B\n/)
    expect(stdout).toMatch(/Threads +bits do not depend on the thread count \(1 to 32\)\n/)
    expect(runs()).toEqual([run])
  })

  it("resumes after Ctrl-C with the same bits as a run that was never stopped", async () => {
    const sizes = tiny.filter((word) => !word.startsWith("backend.threads"))
    const long = [...sizes, "training.max_steps=400", "training.eval_steps=200", "training.save_steps=200"]
    const interrupted = (child: Child, signal: NodeJS.Signals) =>
      new Promise<void>((resolve) => {
        child.process.stderr?.on("data", (data: Buffer) => {
          if (/\] \d+\/400/.test(data.toString())) resolve()
        })
      }).then(() => {
        child.process.kill(signal)
        return child.finished
      })
    // The variable is not named again: a run knows its threads.
    const first = workspace.startWith({ CODEX_THREADS: "1" }, "train", ...long, "--seed", "3")
    const stopped = await interrupted(first, "SIGINT")
    expect(stopped.code).toBe(130)
    const cut = runs().at(-1) ?? ""
    expect(stopped.stderr).toContain(`Resume with:\n  codex train --run ${cut} --resume\n`)
    const savedAt = (stderr: string) => Number(/step (\d+): saved \S+\n(?![\s\S]*saved)/.exec(stderr)?.[1])
    expect(savedAt(stopped.stderr)).toBeLessThan(400)

    // A terminal that is closed in the middle saves too.
    const hungUp = await interrupted(workspace.start("train", "--run", cut, "--resume"), "SIGHUP")
    expect(hungUp.code).toBe(129)
    expect(savedAt(hungUp.stderr)).toBeGreaterThan(savedAt(stopped.stderr))
    expect(await codex("train", ...long, "--seed", "3", "--resume")).toMatchObject({ code: 0 })
    expect(runs().at(-1)).toBe(cut)
    const threads = "backend.threads=1"
    expect(await codex("train", ...long, "--seed", "3", threads)).toMatchObject({ code: 0 })
    const whole = runs().at(-1) ?? ""
    expect(whole).not.toBe(cut)
    const weights = (of: string) =>
      readFileSync(join(directory, of, "checkpoints/step-00000400/model.safetensors")).toString("hex")
    expect(weights(cut) === weights(whole)).toBe(true)
    const metrics = (of: string) => read(`${of}/metrics.ndjson`).replaceAll(/"time":\{.*?\}/g, "")
    expect(metrics(cut)).toBe(metrics(whole))
    for (const of of [cut, whole]) rmSync(join(directory, of), { recursive: true })
  })
})

describe("codex evaluate", () => {
  it("scores what the run held out, with standard errors, and appends to the files of results", async () => {
    const { code, stdout } = await codex("evaluate", "--run", run)
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^metric +value +± stderr +unit\nperplexity +[\d.]+ +[\d.]+\nbits_per_byte +[\d.]+ +[\d.]+ +bits\/byte\n/
    )
    expect(read("runs/eval/metrics.ndjson").trim().split("\n")).toHaveLength(3)
    expect(read("runs/eval/metrics.csv").split("\n")[0]).toBe("time,run,step,data,metric,value,stderr,unit")
  })

  it("scores every document of the files named, and prints JSON", async () => {
    const { stdout } = await codex("evaluate", "--run", run, "--data", "notes/1.txt", "--metrics", "loss", "--json")
    const { bytes, results, tokens } = JSON.parse(stdout)
    const size = readFileSync(join(directory, "notes/1.txt")).length
    // One token a byte, and one that ends the document.
    expect([bytes, tokens]).toEqual([size, size + 1])
    expect(results).toMatchObject([{ metric: "loss", unit: "nats/token", direction: "lower" }])
  })
})

describe("codex generate", () => {
  const generate = (...words: ReadonlyArray<string>) =>
    codex("generate", "--run", run, "--prompt", "the whale", "--max-new-tokens", "30", ...words)

  it("continues the prompt; one seed gives one text, which is saved with its settings", async () => {
    const [first, again, other] = [
      await generate("--seed", "5"),
      await generate("--seed", "5"),
      await generate("--seed", "6")
    ]
    expect(first.code).toBe(0)
    expect(first.stdout.startsWith("the whale")).toBe(true)
    expect(first.stdout).toBe(again.stdout)
    expect(first.stdout).not.toBe(other.stdout)
    const [, file] = /tokens in .*; saved in (artifacts\/infer\/\S+\.txt)\n/.exec(first.stderr) ?? []
    expect(`${read(file ?? "")}\n`).toBe(first.stdout)
    const { texts } = JSON.parse(read("artifacts/infer/manifest.json"))
    expect(texts[0]).toMatchObject({ file: file?.slice(16), run, config: { seed: 5, max_new_tokens: 30 } })
    expect(texts).toHaveLength(3)
  })

  it("ends before a stop text", async () => {
    const { text } = JSON.parse((await generate("--temperature", "0", "--json")).stdout)
    const stop = JSON.stringify([...text].at(4) ?? "")
      .slice(1, -1)
      .replaceAll(" ", "\\u0020")
    const shorter = JSON.parse((await generate("--temperature", "0", "--stop", stop, "--json")).stdout)
    expect(shorter.text).toBe(text.slice(0, text.indexOf([...text].at(4) ?? "")))
  })
})

describe("codex export onnx", () => {
  it("writes a graph that a bare ONNX Runtime session scores as codex does", async () => {
    expect(await codex("export", "onnx", "--run", run, "--out", "model.onnx", "--length", "16")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^model\.onnx: [\d.]+ kB, input_ids int64\[1, 16\] to logits float32\[1, 16, 257\]\n$/
      )
    })
    // 17 bytes: the first window of 16 reads all but the last and scores all but the first, and it is the only one.
    writeFileSync(join(directory, "window.txt"), "the whale sailed")
    const ids = [...Buffer.from("the whale sailed"), 256]
    const session = await InferenceSession.create(join(directory, "model.onnx"))
    expect([session.inputNames, session.outputNames]).toEqual([["input_ids"], ["logits"]])
    const input = new Tensor("int64", BigInt64Array.from(ids.slice(0, 16), BigInt), [1, 16])
    const { logits } = await session.run({ input_ids: input })
    expect(logits?.dims).toEqual([1, 16, 257])
    const values = Array.from(logits?.data ?? [], Number)
    const nats = ids.slice(1).map((target, i) => {
      const row = values.slice(i * 257, (i + 1) * 257)
      const most = Math.max(...row)
      return most + Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0)) - (row[target] ?? 0)
    })
    await session.release()
    const { stdout } = await codex("evaluate", "--run", run, "--data", "window.txt", "--metrics", "loss", "--json")
    const [{ value }] = JSON.parse(stdout).results
    expect(value).toBeCloseTo(nats.reduce((sum, each) => sum + each, 0) / 16, 4)
  })

  it("has a free batch and length unless one is named, and replaces a file only with --force", async () => {
    writeFileSync(join(directory, "mine.onnx"), "mine")
    const refused = await codex("export", "onnx", "--run", run, "--out", "mine.onnx")
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("there is already a file of that name") })
    expect(read("mine.onnx")).toBe("mine")
    const { code, stdout } = await codex("export", "onnx", "--run", run, "--out", "mine.onnx", "--force")
    expect(stdout).toMatch(/, input_ids int64\[batch, sequence ≤ 32\] to logits float32\[batch, sequence, 257\]\n$/)
    expect(code).toBe(0)
  })

  it("names a folder that is not there, and leaves no file behind", async () => {
    const { code, stderr } = await codex("export", "onnx", "--run", run, "--out", "nowhere/model.onnx")
    expect(stderr).toBe(
      `nowhere/model.onnx could not be written: the directory ${directory}/nowhere does not exist. Create it, or choose another path.\n`
    )
    expect(code).toBe(1)
    expect(existsSync(join(directory, "nowhere"))).toBe(false)
  })
})
