/**
 * What an error proposes for a mistyped key, value, choice or plugin: from the command line, from files and from code; and what
 * choosing another plugin does to the keys of the one before. Oracles: the tables, written by hand; each proposal is written in the
 * place of the mistake and accepted. Needs the packaged configs and a temporary directory.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Model } from "../../src/core/Model.ts"
import * as Plugin from "../../src/core/plugin/Plugin.ts"
import { packagedConfigs } from "../../src/jobs/Environment.ts"
import * as Run from "../../src/jobs/Run.ts"
import { builtins } from "../../src/plugins/builtins.ts"

const directory = mkdtempSync(join(tmpdir(), "codex-keys-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const Bigram = Plugin.make(Model.kind, "bigram", {
  description: "counts of pairs",
  config: Schema.Struct({
    smoothing: Schema.optionalWith(Schema.Number, { default: () => 1 }),
    order: Schema.optional(Schema.Struct({ forward: Schema.Boolean }))
  }),
  make: () => Effect.dieMessage("not made here")
})

const config = join(packagedConfigs(), "config.yaml")

const plan = (overrides: ReadonlyArray<string>, options: Partial<Run.ConfigOptions> = {}) =>
  Effect.scoped(Effect.flatMap(Run.compose({ config, overrides, ...options }), Run.plan))

const message = (overrides: ReadonlyArray<string>, options: Partial<Run.ConfigOptions> = {}) =>
  Effect.map(Effect.flip(plan(overrides, options)), (error) => error.message)

/** The mistake, and the key that is proposed. */
const keys: ReadonlyArray<readonly [override: string, proposal: string]> = [
  ["training.max_step=3", "training.max_steps"],
  ["training.maxSteps=3", "training.max_steps"],
  ["training.max-steps=3", "training.max_steps"],
  ["training.steps=3", "training.max_steps"],
  ["training.contex_length=8", "training.context_length"],
  ["training.context=8", "training.context_length"],
  ["training.ctx_len=8", "training.context_length"],
  ["training.learning_rate=1", "training.lr"],
  ["training.batchsize=8", "training.batch_size"],
  ["training.batch_sise=8", "training.batch_size"],
  ["training.bacth_size=8", "training.batch_size"],
  ["training.epoch=1", "training.epochs"],
  ["training.num_epochs=1", "training.epochs"],
  ["training.wd=0.1", "training.weight_decay"],
  ["training.gradient_accumulation=2", "training.gradient_accumulation_steps"],
  ["training.patience=3", "training.early_stopping_patience"],
  ["training.eval_step=10", "training.eval_steps"],
  ["training.evaluation_steps=10", "training.eval_steps"],
  ["training.warmup=10", "training.warmup_steps"],
  ["training.grad_norm=1", "training.max_grad_norm"],
  ["training.beta=0.9", "training.beta1"],
  ["training.hidden_size=64", "model.hidden_size"],
  ["training.dropout=0.1", "model.dropout"],
  ["training.temperature=1", "generation.temperature"],
  ["training.metrics=[loss]", "evaluation.metrics"],
  ["trainig.lr=1", "training.lr"],
  ["trianing.max_step=3", "training.max_steps"],
  ["training_lr=1", "training.lr"],
  ["backend.thread=2", "backend.threads"],
  ["backend.num_threads=2", "backend.threads"],
  ["threads=2", "backend.threads"],
  ["device=cpu", "backend.device"],
  ["lr=1", "training.lr"],
  ["LR=1", "training.lr"],
  ["model.lr=1", "training.lr"],
  ["epochs=1", "training.epochs"],
  ["batch_size=8", "training.batch_size"],
  ["seed=7", "training.seed"],
  ["max_steps=3", "training.max_steps"],
  ["learning_rate=1", "training.lr"],
  ["dropout=0.1", "model.dropout"],
  ["n_layer=2", "model.num_hidden_layers"],
  ["n_heads=2", "model.num_attention_heads"],
  ["heads=2", "model.num_attention_heads"],
  ["layers=2", "model.num_hidden_layers"],
  ["validation={fraction: 0.1}", "data.validation"],
  ["vocab_size=512", "tokenizer.train.vocab_size"],
  ["model.num_layers=2", "model.num_hidden_layers"],
  ["model.n_heads=2", "model.num_attention_heads"],
  ["model.hiddensize=64", "model.hidden_size"],
  ["model.max_position_embedding=64", "model.max_position_embeddings"],
  ["data.path=x.txt", "data.paths"],
  ["data.validation.fractoin=0.1", "data.validation.fraction"],
  ["data.fraction=0.1", "data.validation.fraction"],
  ["tokenizer.train.vocabsize=512", "tokenizer.train.vocab_size"],
  ["tokenizer.vocab_size=512", "tokenizer.train.vocab_size"],
  ["generation.max_tokens=3", "generation.max_new_tokens"],
  ["generation.topk=3", "generation.top_k"],
  ["tracking.ndjson.files=x.ndjson", "tracking.ndjson.file"],
  ["evaluation.metric=[loss]", "evaluation.metrics"],
  ["logging.sesion=false", "logging.session"],
  ["plugin=[x]", "plugins"],
  ["+training.max_step=3", "training.max_steps"],
  ["+dryrun=true", "dry_run"]
]

layer(Run.layer({ group: builtins.add(Bigram) }))("Suggestions", (it) => {
  it.effect.each(keys)("%s", ([override, proposal]) =>
    Effect.gen(function* () {
      const text = yield* message([override])
      const key = override.replace(/^\+|=.*$/g, "")
      expect(text).toContain(`${key} is unknown; did you mean ${proposal}?`)
      expect(text.split("\n")).toHaveLength(1)
      // What is proposed is a key: whatever is wrong with the value, it is not unknown.
      const again = yield* Effect.either(plan([`${proposal}=${override.replace(/^.*?=/, "")}`]))
      if (again._tag === "Left") expect(again.left.message).not.toContain("unknown")
    })
  )

  it.effect("says at once that a key does not exist, and lists all that do", () =>
    Effect.gen(function* () {
      expect(yield* message(["+training.nope=1"])).toBe(
        "command line: training.nope is unknown; known: seed, lr, lr_schedule, warmup_steps, min_lr_ratio, " +
          "decay_fraction, batch_size, gradient_accumulation_steps, context_length, epochs, max_steps, weight_decay, " +
          "beta1, beta2, eps, max_grad_norm, eval_steps, eval_windows, save_steps, save_total_limit, " +
          "early_stopping_patience, logging_steps"
      )
      expect(yield* message(["xyzzy=1"])).toMatch(
        /^command line: xyzzy is unknown; known: name, from, model, data, tokenizer, training, evaluation, generation, tracking/
      )
      expect(yield* message(["data.validation.xyzzy=1"])).toMatch(
        /data\.validation\.xyzzy is unknown; known: fraction, every, paths$/
      )
      expect(yield* message(["data.validation.fraction=0.1"])).toMatch(
        /data\.validation: exactly one of fraction, every and paths is expected, and there is fraction and every$/
      )
      const split = yield* plan(["~data.validation.every", "data.validation.fraction=0.1"])
      expect(split.config.data).toMatchObject({ validation: { fraction: 0.1 } })
      expect(yield* message(["training.lr.value=1"])).toMatch(/training\.lr\.value is unknown/)
      expect((yield* plan(["~training.max_steps", "data.paths=x.txt"])).config.training.max_steps).toBeUndefined()
      expect(yield* message(["~training.max_stepz"])).toMatch(/^command line: training\.max_stepz is unknown/)
    })
  )

  it.effect("proposes values, choices and plugins, and says which there are", () =>
    Effect.gen(function* () {
      const devices = '"auto" | "cpu"'
      expect(yield* message(["device=gpu"])).toContain(`did you mean backend.device? Its values: ${devices}`)
      expect(yield* message(["backend.device=gpu"])).toContain(`command line: backend.device: expected ${devices}`)
      expect(yield* message(["backend.device=gpu"])).toContain('got "gpu"; did you mean webgpu?')
      expect(yield* message(["training.lr_schedule=cosin"])).toContain('got "cosin"; did you mean cosine?')
      expect(yield* message(["model.hidden_act=gelu_neu"])).toContain('got "gelu_neu"; did you mean gelu_new?')
      expect(yield* message(["model=minilmm"])).toContain(
        "did you mean minilm? available: gpt2-tiny, llama-tiny, minilm"
      )
      expect(yield* message(["tokenizer=bpee"])).toContain("did you mean bpe? available: bpe, byte")
      expect(yield* message(["training=fst"])).toContain("there is no config training/fst.yaml; available: base")
      expect(yield* message(["trainig=base"])).toContain("trainig is unknown; did you mean training?")
      expect(yield* message(["model=bigram"])).toContain("(a plugin of that name is model.name=bigram)")
      expect(yield* message(["model.name=decoderr"])).toContain(
        'command line: model.name: Unknown model "decoderr". Did you mean decoder?'
      )
      expect(yield* message(["tracking.ndjsn.file=x"])).toContain("Did you mean ndjson?")
      expect(yield* message(["evaluation.metrics=[loss,perplexty]"])).toContain(
        'command line: evaluation.metrics[1]: Unknown metric "perplexty". Did you mean perplexity?'
      )
    })
  )

  it.effect("proposes the same for files and for code", () =>
    Effect.gen(function* () {
      const file = join(directory, "typos.yaml")
      writeFileSync(
        file,
        "model: {name: decoder, hidden_size: 32, num_hidden_layer: 1, num_attention_heads: 1, max_position_embeddings: 8}\n" +
          "data: {name: memory, documents: [a]}\ntokenizer: {name: byte}\ntraining: {max_step: 3}\nbatch_size: 4\n"
      )
      expect((yield* message([], { config: file })).replaceAll(directory, "…").split("\n")).toEqual([
        "…/typos.yaml:5: batch_size is unknown; did you mean training.batch_size?",
        "…/typos.yaml:4: training.max_step is unknown; did you mean training.max_steps?"
      ])
      const given: object = { training: { max_step: 3, contextLength: 8 } }
      expect((yield* message([], given)).split("\n")).toEqual([
        "Run.train: training.max_step is unknown; did you mean training.max_steps?",
        "Run.train: training.contextLength is unknown; did you mean training.context_length?"
      ])
      expect(yield* message([], { model: { name: "decoder", hidden_size: 8, num_layers: 2 } })).toContain(
        "Run.train: model.num_layers is unknown; did you mean model.num_hidden_layers?"
      )
      const cycle: { [key: string]: unknown } = {}
      cycle.self = cycle
      expect(yield* message([], { tracking: { ndjson: cycle } })).toMatch(
        /^Run\.train: tracking\.ndjson\.self.*: more than 100 objects and arrays are inside each other$/
      )
    })
  )
})

layer(Run.layer({ group: builtins.add(Bigram) }))("Choosing another plugin", (it) => {
  const sections = (overrides: ReadonlyArray<string>, options: Partial<Run.ConfigOptions> = {}) =>
    Effect.map(plan(overrides, options), ({ config: { data, model, tokenizer } }) => ({ data, model, tokenizer }))

  it.effect("drops the keys of the one before: the command line, each kind", () =>
    Effect.gen(function* () {
      expect((yield* sections(["model.name=bigram"])).model).toEqual({ name: "bigram" })
      expect((yield* sections(["model=tiny", "model.name=bigram"])).model).toEqual({ name: "bigram" })
      expect((yield* sections(["tokenizer.name=byte"])).tokenizer).toEqual({ name: "byte" })
      expect((yield* sections(["tokenizer.name=unigram"])).tokenizer).toEqual({ name: "unigram", train: {} })
      expect((yield* sections(["data.name=ndjson", "data.paths=x.jsonl"])).data).toEqual({
        name: "ndjson",
        paths: "x.jsonl"
      })
      expect(yield* message(["data.name=ndjson"])).toMatch(/^command line: data\.paths is missing/)
    })
  )

  it.effect("keeps what the command line set beside it, in any order, and checks it", () =>
    Effect.gen(function* () {
      for (const order of [
        ["model.name=bigram", "model.smoothing=2"],
        ["model.smoothing=2", "model.name=bigram"]
      ]) {
        expect((yield* sections(order)).model).toEqual({ name: "bigram", smoothing: 2 })
      }
      expect(yield* message(["model.hidden_size=64", "model.name=bigram"])).toBe(
        "command line: model.hidden_size is unknown; known: smoothing, order"
      )
      const trained = ["tokenizer.train.vocab_size=300", "tokenizer.name=unigram"]
      expect((yield* sections(trained)).tokenizer).toEqual({ name: "unigram", train: { vocab_size: 300 } })
      expect((yield* sections(["model.name=decoder"])).model).toHaveProperty("hidden_size", 192)
    })
  )

  it.effect("drops them in files lower in the defaults list, and what a file wrote for its own choice", () =>
    Effect.gen(function* () {
      const file = join(directory, "bigram.yaml")
      writeFileSync(
        file,
        "defaults: [{ model: minilm }, { tokenizer: bpe }]\n" +
          "model: { name: bigram, smoothing: 3 }\ntokenizer: { train: { vocab_size: 512 } }\n" +
          "data: { name: memory, documents: [a] }\n"
      )
      const own = yield* sections([], { config: file })
      expect(own.model).toEqual({ name: "bigram", smoothing: 3 })
      expect(own.tokenizer).toEqual({ name: "bpe", train: { vocab_size: 512 } })
      // tokenizer.train was written for bpe.
      expect((yield* sections(["tokenizer=byte"], { config: file })).tokenizer).toEqual({ name: "byte" })
      const quickstart = join(packagedConfigs(), "quickstart.yaml")
      expect((yield* sections(["tokenizer=byte"], { config: quickstart })).tokenizer).toEqual({ name: "byte" })
    })
  )

  it.effect("in code", () =>
    Effect.gen(function* () {
      expect((yield* sections([], { model: "bigram" })).model).toEqual({ name: "bigram" })
      const parts = { data: ["a"], tokenizer: "byte", model: "bigram" }
      const planned = yield* Effect.scoped(Effect.flatMap(Run.compose(parts), Run.plan))
      expect(planned.config.model).toEqual({ name: "bigram" })
      expect((yield* sections([], { model: { name: "bigram", smoothing: 2 } })).model).toEqual({
        name: "bigram",
        smoothing: 2
      })
    })
  )
})
