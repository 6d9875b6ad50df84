/**
 * A run knows its data: what happens to it while a run is stopped is refused with its name, or makes no difference.
 *
 * One run on three files is trained to its end and stopped half way (its last checkpoint is removed). Each case copies it, changes
 * the files and resumes. Oracles: the weights of the run that was never stopped, and the words of the refusal. Needs the CPU.
 */
import {
  copyFileSync,
  cpSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { basename, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { beforeAll, beforeEach } from "vitest"
import type { RunEvent } from "../../src/core/training/TrainEvent.ts"
import * as Run from "../../src/jobs/Run.ts"
import { text } from "../cli/workspace.ts"
import { full } from "../full.ts"
import { make } from "./environment.ts"

const { at, provided } = make("run-data")

const training = { epochs: 1, batch_size: 8, context_length: 16, eval_steps: 5, save_steps: 5, save_total_limit: 9 }
const settings = { tokenizer: "byte", model: "tiny", training } as const
const data = { name: "text", paths: at("texts"), validation: { every: 3 } }

const files = { "a.txt": text(1, 10), "b.txt": text(2, 12), "c.txt": text(3, 8) }
const write = (name: string, content: string | Uint8Array) => writeFileSync(at("texts", name), content)
const reset = () => {
  rmSync(at("texts"), { recursive: true, force: true })
  mkdirSync(at("texts"))
  for (const [name, content] of Object.entries(files)) write(name, content)
}

let whole: Run.Run
let steps = 0
let copies = 0
const weightsOf = (checkpoint: string) => readFileSync(join(checkpoint, "model.safetensors")).toString("hex")
const record = (directory: string) => JSON.parse(readFileSync(join(directory, "data.json"), "utf8"))

/** A copy of the run, stopped after five updates. */
const stopped = (): string => {
  const directory = at("runs", `copy-${++copies}`)
  cpSync(whole.directory, directory, { recursive: true })
  rmSync(join(directory, "checkpoints", basename(whole.checkpoint)), { recursive: true })
  return directory
}

beforeAll(async () => {
  reset()
  whole = await Effect.runPromise(provided(Run.train({ ...settings, data })))
  steps = whole.state.step
})
beforeEach(reset)

describe("a run on files", () => {
  it("records text, split, counts and tokenizer, and each checkpoint their digests", () => {
    const { train, validation, ...rest } = record(whole.directory)
    expect(rest).toMatchObject({ format: 1, updates: steps, history: [] })
    expect(train.sources.map(({ name }: { name: string }) => basename(name))).toEqual(["a.txt", "b.txt"])
    const bytes = Buffer.byteLength(files["a.txt"] + files["b.txt"])
    expect(train).toMatchObject({ documents: 2, bytes, tokens: bytes + 2 })
    expect(validation).toMatchObject({
      documents: 1,
      sources: [{ file: true, bytes: Buffer.byteLength(files["c.txt"]) }]
    })
    const { provenance } = JSON.parse(readFileSync(join(whole.checkpoint, "manifest.json"), "utf8"))
    expect(provenance).toMatchObject({
      data: rest.fingerprint,
      data_train: train.digest,
      data_validation: validation.digest,
      tokenizer: rest.tokenizer
    })
  })

  const refused: ReadonlyArray<readonly [string, () => void, RegExp]> = [
    ["a file is added", () => write("d.txt", "more text\n"), /: added \S*\/d\.txt\. To continue/],
    ["a file is removed", () => rmSync(at("texts/a.txt")), /removed \S*\/a\.txt/],
    ["a file is edited", () => write("a.txt", `${files["a.txt"]}more`), /edited \S*\/a\.txt \(\d+ → \d+ bytes\)\./],
    [
      "a file is edited, at the same size",
      () =>
        write(
          "b.txt",
          files["b.txt"].replace(/[a-z]/, (letter) => letter.toUpperCase())
        ),
      /edited \S*\/b\.txt\./
    ],
    ["the held-out file is edited", () => write("c.txt", "other text\n"), /edited \S*\/c\.txt/],
    [
      "a file is renamed, so that the order changes",
      () => renameSync(at("texts/a.txt"), at("texts/bb.txt")),
      /renamed \S*\/a\.txt to \S*\/bb\.txt; the order of the text\./
    ],
    [
      "a file is renamed, so that another one is held out",
      () => renameSync(at("texts/a.txt"), at("texts/z.txt")),
      /moved from training to held-out text \S*\/z\.txt; moved from held-out to training text \S*\/c\.txt/
    ],
    ["a file is duplicated", () => copyFileSync(at("texts/a.txt"), at("texts/copy.txt")), /added \S*\/copy\.txt/],
    ["line ends are CRLF", () => write("a.txt", files["a.txt"].replaceAll("\n", "\r\n")), /edited \S*\/a\.txt/],
    [
      "a file is UTF-16",
      () => write("a.txt", Buffer.from(`\uFEFF${files["a.txt"]}`, "utf16le")),
      /a\.txt:1: .* UTF-16: convert it/
    ],
    [
      "a link is retargeted",
      () => {
        rmSync(at("texts/b.txt"))
        symlinkSync("c.txt", at("texts/b.txt"))
      },
      /removed|edited/
    ],
    ["all files are gone", () => rmSync(at("texts"), { recursive: true }), /texts: no file matches/]
  ]
  it.live.each(refused)("is not resumed when %s", ([, change, words]) =>
    Effect.gen(function* () {
      const directory = stopped()
      const before = readFileSync(join(directory, "data.json"), "utf8")
      change()
      const exit = yield* Effect.exit(provided(Run.resume(directory)))
      expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toMatch(words)
      expect(readFileSync(join(directory, "data.json"), "utf8")).toBe(before)
    })
  )

  const same: ReadonlyArray<readonly [string, () => void, ReadonlyArray<string>?]> = [
    ["a file gets a byte order mark", () => write("a.txt", `\uFEFF${files["a.txt"]}`)],
    ["a file is renamed, so that the order stays", () => renameSync(at("texts/a.txt"), at("texts/aa.txt"))],
    [
      "a link and a hard link are added",
      () => {
        symlinkSync("a.txt", at("texts/d.txt"))
        linkSync(at("texts/b.txt"), at("texts/e.txt"))
      }
    ],
    [
      "the text is under another path, and the cache deleted",
      () => {
        rmSync(at("moved"), { recursive: true, force: true })
        renameSync(at("texts"), at("moved"))
        rmSync(at("cache"), { recursive: true })
      },
      [`data.paths=${at("moved")}`]
    ]
  ]
  const more: typeof same = [
    ["nothing changes", () => {}],
    ["an empty file is added", () => write("aa.txt", "")],
    ["the cache is deleted", () => rmSync(at("cache"), { recursive: true })],
    [
      "a file is replaced by a folder with it",
      () => {
        rmSync(at("texts/b.txt"))
        mkdirSync(at("texts/b.txt"))
        writeFileSync(at("texts/b.txt/1.txt"), files["b.txt"])
      }
    ],
    [
      "the files are named one by one",
      () => {},
      [`data.paths=[${Object.keys(files).map((name) => at("texts", name))}]`]
    ]
  ]
  it.live.each(full ? [...same, ...more] : same)("is resumed to the same bits when %s", ([, change, overrides = []]) =>
    Effect.gen(function* () {
      const directory = stopped()
      change()
      const resumed = yield* provided(Run.resume(directory, { overrides }))
      expect(resumed.state.step).toBe(steps)
      expect(weightsOf(resumed.checkpoint) === weightsOf(whole.checkpoint)).toBe(true)
      expect(record(directory).history).toEqual([])
    })
  )

  it.live("is trained on the text that was there at its start", () =>
    Effect.gen(function* () {
      const run = yield* provided(
        Run.train({
          ...settings,
          data,
          onEvent: (event) =>
            Effect.sync(() => {
              if (event._tag !== "Step" || event.step !== 2) return
              for (const name of Object.keys(files)) write(name, "changed while it trains\n")
              rmSync(at("cache"), { recursive: true })
            })
        })
      )
      expect(weightsOf(run.checkpoint) === weightsOf(whole.checkpoint)).toBe(true)
      expect(record(run.directory).fingerprint).toBe(record(whole.directory).fingerprint)
      const error = yield* Effect.flip(provided(Effect.flatMap(Run.open(run.directory), (open) => open.evaluate())))
      expect(error._tag).toBe("HeldOutUnavailable")
    })
  )

  it.live("that has finished is not given other data in its config", () =>
    Effect.gen(function* () {
      const directory = at("runs", `copy-${++copies}`)
      cpSync(whole.directory, directory, { recursive: true })
      const overrides = [`data.paths=${at("texts/a.txt")}`]
      expect((yield* Effect.flip(provided(Run.resume(directory, { overrides }))))._tag).toBe("DataChanged")
      const all = [`data.paths=${at("texts/*.txt")}`]
      expect((yield* provided(Run.resume(directory, { overrides: all }))).config.data.paths).toBe(at("texts/*.txt"))
    })
  )

  it.live("is not resumed with another split or order in its config, and says what moved", () =>
    Effect.gen(function* () {
      const error = (overrides: ReadonlyArray<string>) => Effect.flip(provided(Run.resume(stopped(), { overrides })))
      expect((yield* error(["data.validation.every=2"])).message).toMatch(
        /moved from training to held-out text \S*\/b\.txt; moved from held-out to training text \S*\/c\.txt/
      )
      expect((yield* error(["~data.validation.every", "+data.validation.fraction=0.5", "data.seed=9"]))._tag).toBe(
        "DataChanged"
      )
      const reversed = ["b.txt", "a.txt", "c.txt"].map((name) => at("texts", name))
      expect((yield* error([`data.paths=[${reversed}]`])).message).toContain(": the order of the text. To continue")
    })
  )
})

describe("data that changed and was accepted", () => {
  it.live("keeps the number of updates, starts the best anew, and is recorded", () =>
    Effect.gen(function* () {
      const directory = stopped()
      write("c.txt", "other held-out text\n".repeat(9))
      write("b.txt", `${files["b.txt"]}${text(9, 30)}`)
      const events: Array<RunEvent> = []
      const onEvent = (event: RunEvent) => Effect.sync(() => void events.push(event))
      const resumed = yield* provided(Run.resume(directory, { dataChanged: "continue", onEvent }))
      expect(resumed.state).toMatchObject({ step: steps, finished: "completed" })
      expect(events.find(({ _tag }) => _tag === "Started")).toMatchObject({ fromStep: 5, totalSteps: steps })
      const best = events.find((event) => event._tag === "Evaluated")
      expect(best).toMatchObject({ step: steps, best: true, split: "validation" })
      const { history, updates, ...now } = record(directory)
      expect(updates).toBe(steps)
      expect(history).toMatchObject([{ step: 5, before: { fingerprint: record(whole.directory).fingerprint } }])
      expect(history[0].changes[0]).toMatch(/^edited \S*b\.txt \(.*\), \S*c\.txt \(/)
      expect(now.fingerprint).not.toBe(history[0].before.fingerprint)

      // The file that is held out was never trained on.
      expect(yield* provided(Effect.flatMap(Run.open(directory), (run) => run.evaluateFile()))).toMatchObject({
        data: "held out by the run"
      })
      // Once more: nothing changed since.
      rmSync(resumed.checkpoint, { recursive: true })
      yield* provided(Run.resume(directory))
      expect(record(directory).history).toHaveLength(1)
    })
  )

  it.live("is not called held out if it was ever trained on", () =>
    Effect.gen(function* () {
      const directory = stopped()
      renameSync(at("texts/a.txt"), at("texts/z.txt"))
      const events: Array<RunEvent> = []
      const onEvent = (event: RunEvent) => Effect.sync(() => void events.push(event))
      const run = yield* provided(Run.resume(directory, { dataChanged: "continue", onEvent }))
      expect(events.filter(({ _tag }) => _tag === "Evaluated")).toEqual([])
      expect(run.state.best).toBe(null)
      const error = yield* Effect.flip(provided(Effect.flatMap(Run.open(directory), (open) => open.evaluate())))
      expect(error._tag).toBe("HeldOutUnavailable")
      expect(error.message).toMatch(
        /z\.txt was trained on before update 5\. Name other text: --data, or the option data/
      )

      // Back to the files of before: what was held out at first was trained on in between.
      renameSync(at("texts/z.txt"), at("texts/a.txt"))
      rmSync(run.checkpoint, { recursive: true })
      yield* provided(Run.resume(directory, { dataChanged: "continue" }))
      const still = yield* Effect.flip(provided(Effect.flatMap(Run.open(directory), (open) => open.evaluate())))
      expect(still.message).toMatch(/c\.txt was trained on before update/)
    })
  )
})

describe("an evaluation without data", () => {
  const evaluated = (directory: string) => provided(Effect.flatMap(Run.open(directory), (run) => run.evaluateFile()))

  it.live("scores what was held out, also after the files changed, as long as the cache has it", () =>
    Effect.gen(function* () {
      const { results } = yield* evaluated(whole.directory)
      write("c.txt", files["a.txt"])
      expect((yield* evaluated(whole.directory)).results).toEqual(results)
      rmSync(at("texts"), { recursive: true })
      expect((yield* evaluated(whole.directory)).results).toEqual(results)
      reset()
      rmSync(at("cache"), { recursive: true })
      write("a.txt", "training text does not matter\n")
      expect((yield* evaluated(whole.directory)).results).toEqual(results)
    })
  )

  it.live("says that it cannot when the text changed and the cache is gone", () =>
    Effect.gen(function* () {
      rmSync(at("cache"), { recursive: true, force: true })
      write("b.txt", files["c.txt"])
      write("c.txt", files["b.txt"])
      const error = yield* Effect.flip(evaluated(whole.directory))
      expect(error._tag).toBe("HeldOutUnavailable")
      expect(error.message).toMatch(
        /^\S+: the text that this run held out cannot be scored: the data has changed since \(/
      )
    })
  )

  it.live("says that it cannot for a run without a record, and resumes such a run", () =>
    Effect.gen(function* () {
      const directory = stopped()
      rmSync(join(directory, "data.json"))
      expect((yield* Effect.flip(evaluated(directory))).message).toContain("what it held out is not recorded")
      const resumed = yield* provided(Run.resume(directory))
      expect(weightsOf(resumed.checkpoint) === weightsOf(whole.checkpoint)).toBe(true)
      expect((yield* Effect.flip(evaluated(directory))).message).toMatch(/trained on before update 5 is not recorded/)
    })
  )

  it.live("names a record that is damaged", () =>
    Effect.gen(function* () {
      const directory = stopped()
      writeFileSync(join(directory, "data.json"), '{"format": 1')
      expect((yield* Effect.flip(provided(Run.resume(directory))))._tag).toBe("RunDataError")
      expect((yield* Effect.flip(evaluated(directory))).message).toContain(
        "data.json: this is not the record of a run's data."
      )
    })
  )
})
