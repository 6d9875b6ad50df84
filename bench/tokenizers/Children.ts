/** What is measured in child processes: loading, a word of a million letters, training. */
import { spawn } from "node:child_process"
import { createRequire } from "node:module"
import { fileURLToPath, pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Figures from "./Figures.ts"
import { ours, type Peer, peers, type Vocabulary } from "./Peers.ts"

const Result = Schema.Struct({ seconds: Schema.Number, tokens: Schema.Number, memory: Schema.Number })

const entry = fileURLToPath(new URL("./Child.ts", import.meta.url))
const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href

/** The child's result, or what became of it. */
const measure = (args: ReadonlyArray<string>, limitSeconds: number) =>
  Effect.async<string, string>((resume) => {
    const child = spawn(process.execPath, ["--import", tsx, entry, ...args], { stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    let error = ""
    child.stdout.on("data", (data) => {
      output += data
    })
    child.stderr.on("data", (data) => {
      error = (error + data).slice(-2000)
    })
    child.once("close", (code, signal) => {
      if (code === 0) return resume(Effect.succeed(output.trim().split("\n").at(-1) ?? ""))
      const line = error.split("\n").find((line) => /error/i.test(line)) ?? `ended by ${signal ?? code}`
      resume(Effect.fail(`died: ${line.trim().slice(0, 80)}`))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  }).pipe(
    Effect.timeoutFail({ duration: `${limitSeconds} seconds`, onTimeout: () => `over ${limitSeconds} s` }),
    Effect.flatMap((line) => Effect.mapError(Schema.decode(Schema.parseJson(Result))(line), String))
  )

/** Engines in turns; those that fail once do not try again. */
const turns = (
  contenders: ReadonlyArray<Peer["name"]>,
  rounds: number,
  run: (name: string) => Effect.Effect<typeof Result.Type, string>
) =>
  Effect.gen(function* () {
    const results = contenders.map((name) => ({ name, failure: "", runs: [] as (typeof Result.Type)[] }))
    for (let i = 0; i < rounds; i++) {
      for (const each of results) {
        if (each.failure !== "") continue
        const result = yield* Effect.either(run(each.name))
        if (Either.isLeft(result)) each.failure = result.left
        else each.runs.push(result.right)
      }
    }
    const own = results[0]?.runs.map(({ seconds }) => seconds) ?? []
    return results
      .filter(({ failure, runs }) => failure !== "" || runs.some(({ tokens }) => tokens > 0))
      .map(({ failure, name, runs }) => {
        const times = runs.map(({ seconds }) => seconds)
        return {
          engine: name,
          seconds: failure === "" ? Figures.show(times) : failure,
          "of codex's time": failure === "" ? Figures.ratio(times, own) : undefined,
          tokens: runs[0]?.tokens,
          "memory, MiB":
            failure === "" ? Math.round(Figures.median(runs.map(({ memory }) => memory)) / 2 ** 20) : undefined
        }
      })
  })

const all = [ours, ...peers].map(({ name }) => name)

export const loading = (vocabularies: ReadonlyArray<Vocabulary>, rounds: number) =>
  Effect.forEach(vocabularies, (vocabulary) =>
    Effect.map(
      turns(all, rounds, (name) => measure(["load", name, JSON.stringify(vocabulary)], 60)),
      (rows) => rows.map((row) => ({ vocabulary: vocabulary.name, ...row }))
    )
  ).pipe(Effect.map((rows) => rows.flat()))

export const longWord = (vocabulary: Vocabulary) =>
  turns(all, 1, (name) => measure(["word", name, JSON.stringify(vocabulary)], 60))

export const training = (file: string, size: number, rounds: number) =>
  turns([ours.name, "tokenizers (native)"], rounds, (name) => measure(["train", name, file, String(size)], 300))
