/**
 * `Run` on texts in memory and on files, with the tiny model on one thread of the CPU: train, open, evaluate, generate, resume.
 *
 * Oracles: the files on disk, the same call again, a run that was not interrupted, and the documented order of settings.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it, layer } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { afterAll } from "vitest"
import { Dataset } from "../../src/core/Dataset.ts"
import * as Plugin from "../../src/core/plugin/Plugin.ts"
import type { Discovered } from "../../src/core/plugin/Registry.ts"
import { Tokenizer } from "../../src/core/Tokenizer.ts"
import { CheckpointStore, TrainState } from "../../src/core/training/Checkpoint.ts"
import type { RunEvent } from "../../src/core/training/TrainEvent.ts"
import * as Training from "../../src/core/training/Training.ts"
import * as Run from "../../src/jobs/Run.ts"
import { builtins } from "../../src/plugins/builtins.ts"
import { ByteTokenizer } from "../../src/plugins/tokenizers/byte.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-run-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const runs = join(folder, "runs")
const environment = Run.layer({ runs, device: "cpu", threads: 1 })

const documents = Array.from({ length: 30 }, (_, i) => `${i} little birds sang in a tree, and ${i + 1} flew away.`)
const options = {
  data: documents,
  tokenizer: "byte",
  model: "tiny",
  training: { max_steps: 12, lr: 1e-2, batch_size: 4, eval_steps: 6, save_steps: 6 }
} as const

const tags = (events: ReadonlyArray<RunEvent>) => events.map(({ _tag }) => _tag)

layer(environment, { excludeTestServices: true })("a run on documents in memory", (it) => {
  it.scoped("is trained, described by a config, and opened again", () =>
    Effect.gen(function* () {
      const events: Array<RunEvent> = []
      const run = yield* Run.train({ ...options, onEvent: (event) => Effect.sync(() => events.push(event)) })
      // Encoding is reported too, unless the token cache has this text already.
      expect(
        tags(events)
          .filter((tag) => tag !== "Preparing")
          .slice(0, 3)
      ).toEqual(["Prepared", "Started", "Step"])
      expect(events.at(-1)).toMatchObject({ _tag: "Finished", step: 12 })

      expect(run.directory).toBe(join(runs, run.id))
      expect(run.checkpoint).toBe(join(run.directory, "checkpoints", "step-00000012"))
      expect(run.state).toMatchObject({ step: 12, finished: "completed" })
      // Tied table 257·32, two blocks of 4·32² + 3·96·32 + 2·32, a last norm of 32.
      expect(run.parameters).toBe(35_008)
      expect(run.config.data).toMatchObject({ name: "memory", documents })
      expect(run.config.model).toMatchObject({ name: "decoder", hidden_size: 32 })
      expect(run.config.evaluation.metrics).toEqual(["perplexity", "bits_per_byte", "accuracy"])
      expect(readFileSync(run.configFile, "utf8")).toContain("max_steps: 12\n")
      expect(readFileSync(join(run.directory, "metrics.ndjson"), "utf8").match(/"split":"validation"/g)).toHaveLength(2)

      const text = yield* run.generate("3 little", { maxNewTokens: 8, seed: 5 })
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(8 * 3)
      const opened = yield* Run.open(run.directory, { checkpoint: "last" })
      expect(opened.state).toEqual(run.state)
      expect(yield* opened.generate("3 little", { maxNewTokens: 8, seed: 5 })).toBe(text)
      expect(yield* Stream.mkString(opened.generateStream("3 little", { maxNewTokens: 8, seed: 5 }))).toBe(text)
      expect(yield* opened.evaluate()).toEqual(yield* run.evaluate())
      expect((yield* Run.open(run.id, { checkpoint: 6 })).state.step).toBe(6)
      expect((yield* Run.open(join(run.directory, "checkpoints", "step-00000006"))).state.step).toBe(6)
    })
  )

  it.scoped("is scored by the metrics that are named, on any text", () =>
    Effect.gen(function* () {
      const run = yield* Run.train(options)
      const { loss, perplexity } = yield* run.evaluate({ metrics: ["loss", "perplexity"], data: documents.slice(0, 5) })
      expect(perplexity.value).toBeCloseTo(Math.exp(loss.value), 10)
      expect(loss).toEqual({ value: expect.any(Number), stderr: expect.any(Number), unit: "nats/token" })
      const given = yield* run.evaluate()
      expect(Object.keys(given)).toEqual(["perplexity", "bits_per_byte", "accuracy"])
      // @ts-expect-error Property 'loss' does not exist: only requested metrics are in the result.
      expect(given.loss).toBeUndefined()

      const path = join(folder, "held-out.txt")
      writeFileSync(path, documents.slice(0, 5).join("\n"))
      const evaluation = yield* run.evaluateFile({ data: path, metrics: ["loss"] })
      expect(evaluation).toMatchObject({ data: path, bytes: documents.slice(0, 5).join("\n").length })
      expect(evaluation.files.csv).toBe(join(runs, "eval", "metrics.csv"))
      expect(readFileSync(evaluation.files.csv, "utf8").split("\n")[0]).toBe(
        "time,run,step,data,metric,value,stderr,unit"
      )
      const error = yield* Effect.flip(run.evaluate({ data: ["x"], metrics: ["los"] }))
      expect(error._tag).toBe("UnknownPlugin")
      writeFileSync(join(folder, "held-out.jsonl"), '{"text": "To be"}\n')
      const data = join(folder, "held-out*")
      const { message } = yield* Effect.flip(run.evaluate({ data }))
      expect(message).toContain(`${data}.jsonl is a file of the dataset ndjson`.replace("*", ""))
      // All of it is taken as text if the dataset is named.
      expect(Object.keys(yield* run.evaluate({ data: { name: "text", paths: data } }))).toContain("perplexity")
    })
  )

  it.scoped("whose weights are not finite is refused by everything that would use them", () =>
    Effect.gen(function* () {
      const run = yield* Run.train({ ...options, training: { ...options.training, max_steps: 1 } })
      const store = yield* CheckpointStore
      const whole = yield* store.load(run.checkpoint)
      const name = "model.norm.weight"
      const weights = whole.parameters[name]!
      const broken = { ...weights, data: Float32Array.from(weights.data).fill(Number.NaN, 3, 4) }
      const checkpoint = yield* store.save(join(run.directory, "checkpoints"), {
        ...whole,
        state: new TrainState({ ...whole.state, step: 2 }),
        parameters: { ...whole.parameters, [name]: broken }
      })
      const opened = yield* Run.open(checkpoint)
      const message =
        `${checkpoint}: The model cannot be used: parameter ${name} is not finite (NaN or infinity). ` +
        "Use an earlier checkpoint, or train again with a lower training.lr."
      const path = join(folder, "nan.onnx")
      const refused = <A, E extends Error>(use: Effect.Effect<A, E>) =>
        Effect.map(Effect.flip(use), (error) => expect(error.message).toBe(message))
      yield* refused(opened.generate("3"))
      yield* refused(opened.generateFile("3"))
      yield* refused(opened.evaluate())
      yield* refused(opened.exportOnnx(path))
      expect(existsSync(path)).toBe(false)
    })
  )

  it.scoped("writes text and ONNX files", () =>
    Effect.gen(function* () {
      const run = yield* Run.train(options)
      const pieces: Array<string> = []
      const generated = yield* run.generateFile("7 little", {
        maxNewTokens: 5,
        directory: join(folder, "texts"),
        onText: (piece) => Effect.sync(() => pieces.push(piece))
      })
      expect(readFileSync(generated.file ?? "", "utf8")).toBe(`7 little${generated.text}`)
      expect(pieces.join("")).toBe(generated.text)
      const { texts } = JSON.parse(readFileSync(join(folder, "texts", "manifest.json"), "utf8"))
      expect(texts).toMatchObject([{ run: run.directory, checkpoint: run.checkpoint, tokens: generated.tokens }])
      expect(generated.finishReason).toBe(generated.tokens < 5 ? "stop" : "length")
      // A text that cannot be kept is a text all the same.
      writeFileSync(join(folder, "a-file"), "")
      const unkept = yield* run.generateFile("7", { maxNewTokens: 1, directory: join(folder, "a-file", "texts") })
      expect(unkept).toMatchObject({ tokens: 1, file: undefined, finishReason: "length" })
      const [stop] = (yield* run.generateFile("7", { maxNewTokens: 9, temperature: 0 })).text
      expect(yield* run.generateFile("7", { maxNewTokens: 9, temperature: 0, stop: [stop ?? ""] })).toMatchObject({
        text: "",
        finishReason: "stop"
      })

      const refused = yield* Effect.flip(
        run.generate("7", { temperature: Number.POSITIVE_INFINITY, maxNewTokens: 1e10, seed: 0.5, topP: Number.NaN })
      )
      expect(refused.message.split("\n")).toEqual([
        "run.generate: maxNewTokens: expected an integer ≥ 1 and ≤ 2147483647, got 10000000000",
        "run.generate: temperature: expected a number ≥ 0 and ≤ 1e+38, got Infinity",
        "run.generate: topP: expected a number ≥ 0 and ≤ 1, got NaN",
        "run.generate: seed: expected an integer ≥ 0 and ≤ 4294967295, got 0.5"
      ])
      expect((yield* Effect.flip(run.evaluate({ stride: Number.NaN }))).message).toBe(
        "run.evaluate: stride: expected an integer ≥ 1 and ≤ 2147483647, got NaN"
      )
      expect((yield* Effect.flip(run.evaluate({ data: ["x"] }))).message).toBe(
        "The metric bits_per_byte has no finite value on this text, of which 1 token (0 B) could be scored. " +
          "Give more text, or name other metrics."
      )
      expect((yield* run.evaluate({ data: ["x"], metrics: ["loss"] })).loss).toEqual({
        value: expect.any(Number),
        stderr: undefined,
        unit: "nats/token"
      })

      const path = join(folder, "model.onnx")
      expect(yield* run.exportOnnx(path, { length: 16 })).toEqual({ bytes: readFileSync(path).length, length: 16 })
      const tooLong = yield* Effect.flip(run.exportOnnx(path, { length: 33 }))
      expect(tooLong.message).toBe(
        "The length 33 is not between 1 and the model's longest, 32. Choose another --length."
      )
    })
  )

  it.scoped("gives the same bytes from a config file with overrides", () =>
    Effect.gen(function* () {
      const text = join(folder, "text.txt")
      writeFileSync(text, documents.join("\n"))
      const file = yield* Run.train({ ...options, data: text, name: "a" })
      const config = join(folder, "config.yaml")
      writeFileSync(
        config,
        `data: { paths: "${text}" }\nmodel: { name: decoder }\ntokenizer: { name: byte }\ntraining: { lr: 1 }\n`
      )
      const overrides = ["training.lr=0.01", "training.batch_size=4", "training.eval_steps=6", "training.save_steps=6"]
      const { model, training } = file.config
      const other = yield* Run.train({ config, overrides, model, training: { max_steps: 12 } })
      const weights = (run: Run.Run) => readFileSync(join(run.checkpoint, "model.safetensors")).toString("hex")
      expect(other.config.training).toEqual(training)
      expect(other.config.data).toMatchObject({ name: "text", paths: text })
      expect(weights(other) === weights(file)).toBe(true)
    })
  )

  it.scoped("resumes by its config, or by its name, and refuses another config", () =>
    Effect.gen(function* () {
      const settings = { ...options, training: { ...options.training, seed: 77 } }
      const nothing = yield* Effect.flip(Run.train({ ...settings, resume: true }))
      expect(nothing.message).toMatch(/there is nothing to resume\. The newest, .* differs in /)
      const run = yield* Run.train(settings)
      const events: Array<RunEvent> = []
      const onEvent = (event: RunEvent) => Effect.sync(() => void events.push(event))
      expect((yield* Run.train({ ...settings, resume: true, onEvent })).directory).toBe(run.directory)
      expect((yield* Run.resume(run.id, { onEvent })).state).toEqual(run.state)
      expect(events).toEqual([])

      rmSync(run.checkpoint, { recursive: true })
      const resumed = yield* Run.resume(run.directory, { onEvent })
      expect(events.find(({ _tag }) => _tag === "Started")).toMatchObject({ fromStep: 6 })
      expect(resumed.state).toEqual(run.state)

      const expected = yield* Effect.flatMap(Run.compose({ ...settings, model: "minilm" }), Run.plan)
      const error = yield* Effect.flip(Run.resume(run.directory, { expected }))
      expect(error.message).toContain("this run was made with another config: model.")
    })
  )

  it.scoped("that a combinator ends early is saved there and resumed", () =>
    Effect.gen(function* () {
      const whole = yield* Run.train(options)
      const cut = yield* Run.train({ ...options, combinator: Stream.takeUntil(({ _tag }) => _tag === "Evaluated") })
      expect(cut.checkpoint.slice(-13)).toBe("step-00000006")
      expect(cut.state).toMatchObject({ step: 6, finished: null })
      const stopped = yield* Run.resume(cut.id, {
        combinator: Training.stopWhen((event) => event._tag === "Step" && event.step === 8)
      })
      expect(stopped.state).toMatchObject({ step: 8, finished: null })
      const resumed = yield* Run.resume(cut.id)
      expect(resumed.state).toEqual(whole.state)
      const model = (run: Run.Run) => readFileSync(join(run.checkpoint, "model.safetensors"))
      expect(model(resumed).equals(model(whole))).toBe(true)
    })
  )

  it.scoped("is not trained again from the start when no checkpoint is whole, and keeps its metrics", () =>
    Effect.gen(function* () {
      const run = yield* Run.train(options)
      const checkpoints = join(run.directory, "checkpoints")
      const metrics = readFileSync(join(run.directory, "metrics.ndjson"), "utf8")
      // What a killed writer leaves, and what a full disk or a copy that was cut short leaves.
      mkdirSync(join(checkpoints, ".step-00000013.0a1b2c3d.codex-new"))
      for (const name of ["step-00000006", "step-00000012"]) {
        truncateSync(join(checkpoints, name, "model.safetensors"), 100)
      }
      const error = yield* Effect.flip(Run.resume(run.directory))
      expect(error).toMatchObject({ _tag: "CheckpointError", reason: "Corrupt", path: checkpoints })
      for (const name of ["step-00000006", "step-00000012"]) expect(error.message).toContain(name)
      expect(readFileSync(join(run.directory, "metrics.ndjson"), "utf8")).toBe(metrics)
      expect(readdirSync(checkpoints).sort()).toEqual(["step-00000006", "step-00000012"])
      expect((yield* Effect.flip(Run.open(run.directory))).message).toContain("None of the 2 checkpoints is whole")
    })
  )

  it.scoped("says what is wrong with names and settings", () =>
    Effect.gen(function* () {
      const wrong = (given: object) => Effect.flip(Run.train({ ...options, ...given }))
      expect((yield* wrong({ model: "tyni" })).message).toMatch(/^Run\.train: model\.name: Unknown model "tyni"\./)
      expect((yield* wrong({ training: { lr: -1 } })).message).toMatch(/^Run\.train: training\.lr: /)
      expect((yield* wrong({ data: [""] })).message).toContain("all documents are empty. Give at least one text.")
      expect((yield* wrong({ data: "nowhere/*.txt" })).message).toMatch(/nowhere\/\*\.txt: no file matches in /)
      const long = { training: { context_length: 64 } }
      expect((yield* wrong(long)).message).toMatch(/^training\.context_length: 64 tokens are more than the model's/)
    })
  )
})

layer(environment, { excludeTestServices: true })("services in the place of names", (it) => {
  it.scoped("train, and are passed again to open the run; the text is fingerprinted once", () =>
    Effect.gen(function* () {
      const fingerprints = yield* Ref.make(0)
      const split = (name: "train" | "validation") =>
        Stream.fromIterable(documents.slice(name === "train" ? 0 : 25, name === "train" ? 25 : 30)).pipe(
          Stream.zipWithIndex,
          Stream.map(([text, index]) => ({ id: `${name} ${index}`, text }))
        )
      const made = yield* Dataset.make({ documents: split })
      const data: Dataset.Service = {
        ...made,
        identity: Effect.zipRight(
          Ref.update(fingerprints, (count) => count + 1),
          made.identity
        )
      }
      const tokenizer = yield* Effect.provide(Tokenizer, ByteTokenizer.layer({}))
      const run = yield* Run.train({ ...options, data, tokenizer })
      expect(run.tokenizer).toBe(tokenizer)
      const scores = yield* run.evaluate()
      expect(yield* Ref.get(fingerprints)).toBeGreaterThan(0)

      const error = yield* Effect.flip(Run.open(run.directory))
      expect(error).toMatchObject({ _tag: "ServiceNotGiven", part: "tokenizer" })
      expect(error.message).toContain("Pass it again: Run.open(path, { tokenizer }).")
      // What was held out is in the token cache: no data is needed for it.
      const opened = yield* Run.open(run.directory, { tokenizer, checkpoint: "last" })
      expect(yield* opened.evaluate()).toEqual(scores)
      expect(yield* (yield* Run.open(run.directory, { tokenizer, data, checkpoint: "last" })).evaluate()).toEqual(
        scores
      )
    })
  )
})

describe("the device", () => {
  const file = join(folder, "device.yaml")
  const of = (
    given: Run.LayerOptions,
    variables: Record<string, string>,
    backend: string,
    overrides: ReadonlyArray<string> = []
  ) =>
    Effect.gen(function* () {
      writeFileSync(file, `data: { paths: x.txt }\ntokenizer: { name: byte }\n${backend}\n`)
      const composed = yield* Run.compose({ config: file, model: "tiny", overrides })
      return (yield* Run.plan(composed)).config.backend
    }).pipe(
      Effect.scoped,
      Effect.provide(Run.layer({ runs, ...given })),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))
    )
  const both = "backend: { device: webgpu, threads: 3 }"
  const variables = { CODEX_DEVICE: "cuda", CODEX_THREADS: "7" }

  it.effect("is that of the option, else of the environment, else of the config, else left to the backend", () =>
    Effect.gen(function* () {
      expect(yield* of({ device: "cpu", threads: 1 }, variables, both)).toEqual({ device: "cpu", threads: 1 })
      expect(yield* of({}, variables, both)).toEqual({ device: "cuda", threads: 7 })
      expect(yield* of({ threads: 2 }, { CODEX_DEVICE: "cuda" }, both)).toEqual({ device: "cuda", threads: 2 })
      expect(yield* of({}, {}, both)).toEqual({ device: "webgpu", threads: 3 })
      expect(yield* of({}, {}, "")).toEqual({})
      const precision = { CODEX_PRECISION: "float16" }
      expect(yield* of({}, precision, "backend: { precision: float32 }")).toEqual({ precision: "float16" })
      expect(yield* of({ precision: "float32" }, precision, "")).toEqual({ precision: "float32" })
      expect(yield* of({}, precision, "", ["backend.precision=float32"])).toEqual({ precision: "float32" })
    })
  )

  it.effect("of an override on the command line is as explicit as an option", () =>
    Effect.gen(function* () {
      expect(yield* of({}, variables, both, ["backend.threads=5"])).toEqual({ device: "cuda", threads: 5 })
      expect(yield* of({}, variables, "", ["backend.device=dml"])).toEqual({ device: "dml", threads: 7 })
    })
  )

  it.effect("that a variable misspells is refused with the variable's name", () =>
    Effect.gen(function* () {
      const device = yield* Effect.flip(of({}, { CODEX_DEVICE: "tpu" }, both))
      expect(device.message).toMatch(/^CODEX_DEVICE: backend\.device: expected "auto" \|/)
      const threads = yield* Effect.flip(of({}, { CODEX_THREADS: "0" }, both))
      expect(threads.message).toMatch(/^CODEX_THREADS: backend\.threads: /)
      const precision = yield* Effect.flip(of({}, { CODEX_PRECISION: "bfloat16" }, both))
      expect(precision.message).toMatch(/^CODEX_PRECISION: backend\.precision: expected "float32" \| "float16"/)
    })
  )

  it.effect("of a run that is resumed must be that of its checkpoint; it can be used on any", () =>
    Effect.gen(function* () {
      const greedy = { maxNewTokens: 4, temperature: 0 }
      const combinator: Training.Combinator = Stream.takeUntil(({ _tag }) => _tag === "Evaluated")
      const { id, text } = yield* Effect.gen(function* () {
        const cut = yield* Run.train({ ...options, combinator })
        return { id: cut.id, text: yield* cut.generate("3 little", greedy) }
      }).pipe(Effect.scoped, Effect.provide(environment))
      yield* Effect.gen(function* () {
        const error = yield* Effect.flip(Run.resume(id))
        expect(error).toMatchObject({ _tag: "OtherDevice", trained: "cpu", started: "wasm" })
        expect(error.message).toContain("Resume it with CODEX_DEVICE=cpu, or start a new run.")
        expect(yield* (yield* Run.open(id)).generate("3 little", greedy)).toBe(text)
      }).pipe(Effect.scoped, Effect.provide(Run.layer({ runs, device: "wasm", threads: 1 })))
    })
  )

  it.effect("of a saved run follows the same rule", () =>
    Effect.gen(function* () {
      const run = yield* Run.train(options).pipe(Effect.scoped, Effect.provide(environment))
      const evaluated = (given: Run.LayerOptions, variables: Record<string, string>) =>
        Effect.flatMap(Run.open(run.directory), (opened) => opened.evaluate()).pipe(
          Effect.scoped,
          Effect.provide(Run.layer({ runs, ...given })),
          Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))
        )
      expect((yield* Effect.flip(evaluated({}, { CODEX_DEVICE: "tpu" }))).message).toContain("CODEX_DEVICE")
      // There is no DirectML on this system, and the run's own device would have started.
      const missing = yield* Effect.flip(evaluated({}, { CODEX_DEVICE: "dml" }))
      expect(missing.message).toMatch(/^Device "dml" cannot start/)
      expect(yield* evaluated({ device: "cpu", threads: 1 }, { CODEX_DEVICE: "dml" })).toBeDefined()
    })
  )
})

describe("a program that trains and evaluates", () => {
  it.live("builds the registry once, and reads its text once for the fingerprint and once for the tokens", () =>
    Effect.gen(function* () {
      const counts = { registries: 0, reads: 0 }
      const Counted = Plugin.make(Dataset.kind, "counted", {
        description: "documents that count how often they are read",
        config: Schema.Struct({ salt: Schema.String }),
        make: ({ salt }) =>
          Dataset.make({
            documents: (split) =>
              Stream.suspend(() => {
                counts.reads += 1
                return Stream.fromIterable([{ id: split, text: `${split} ${salt} ${documents.join("\n")}` }])
              })
          })
      })
      const group = {
        layerWith: (found: ReadonlyArray<Discovered>) => {
          counts.registries += 1
          return builtins.add(Counted).layerWith(found)
        }
      }
      yield* Effect.gen(function* () {
        // A text that no other test has, so that it is not in the token cache.
        const data = { name: "counted", salt: folder }
        const run = yield* Run.train({ ...options, data })
        // Both splits, for the fingerprint and for the tokens.
        expect(counts).toEqual({ registries: 1, reads: 4 })
        yield* run.evaluate()
        const opened = yield* Run.open(run.directory)
        yield* opened.evaluate()
        expect(counts).toEqual({ registries: 1, reads: 4 })
      }).pipe(Effect.scoped, Effect.provide(Run.layer({ runs, device: "cpu", threads: 1, group })))
    })
  )
})

describe("Run.dryRun", () => {
  it.live("does two updates and leaves no run", () =>
    Effect.gen(function* () {
      const before = existsSync(runs) ? readdirSync(runs).length : 0
      const planned = yield* Effect.flatMap(Run.compose(options), Run.plan)
      const { prepared, started, step } = yield* Run.dryRun(planned)
      expect(prepared).toMatchObject({ run: "", vocabularySize: 257, trainDocuments: 27, validationDocuments: 3 })
      expect([started.totalSteps, started.tokensPerStep, step.step]).toEqual([12, 128, 2])
      expect(existsSync(runs) ? readdirSync(runs).length : 0).toBe(before)
    }).pipe(Effect.scoped, Effect.provide(environment))
  )
})
