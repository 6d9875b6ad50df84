/**
 * What can this graphics card do, is what it computes right, and how fast is codex on it? In less than six minutes, without a network.
 *
 *     npm run bench:gpu                                  the device webgpu
 *     npm run bench:gpu -- --device cuda                 or cpu, wasm, coreml, dml
 *     npm run bench:gpu -- --variant base,flat           settings that part 3 compares (gpu/Variants.ts)
 *     npm run bench:gpu -- --tiny --device cpu           small sizes, to try the bench itself
 *     npm run bench:gpu -- --help
 *
 * Each part runs in child processes (gpu/Child.ts) with a limit of time, because native code may abort or hang: a part that fails
 * is reported with what it had measured, and the next ones run. Prints tables; the last line is one JSON document. The
 * exit status is 0 if every part reported something and the correctness part passed, 130 after Ctrl-C (which ends the children), otherwise 1.
 */
import { cpus, loadavg } from "node:os"
import { parseArgs } from "node:util"
import { defaultTeardown } from "@effect/platform/Runtime"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Arr from "effect/Array"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import { DeviceName } from "../src/core/config/RunConfig.ts"
import { round } from "./Figures.ts"
import * as Children from "./gpu/Children.ts"
import type { Job, Options, Row } from "./gpu/Job.ts"
import { type Part, parts } from "./gpu/Parts.ts"
import { variants } from "./gpu/Variants.ts"

const devices = DeviceName.literals.filter((name) => name !== "auto")

const help = `Measures a graphics card in less than six minutes. The last line is one JSON document.

Usage: npm run bench:gpu -- [options]

  --device NAME      ${devices.join(", ")} (default webgpu)
  --tiny             small sizes, for a software device or a processor
  --parts NUMBERS    default all: ${parts.map(({ name, number }) => `${number} ${name}`).join(", ")}
  --variant NAMES    settings that part 3 compares, with commas (default all):
${Object.entries(variants)
  .map(([name, { description }]) => `                       ${name}: ${description}`)
  .join("\n")}
  --python PATH      a Python with PyTorch for part 4 (default python3)
  --minutes NUMBER   time for all parts together (default 5.75; with --tiny 60)

Exit status: 0 if every part reported something and what was computed is right, otherwise 1.`

/** A wrong option: one sentence, and where to look. */
class UsageError extends Schema.TaggedError<UsageError>()("UsageError", { details: Schema.String }) {
  override get message() {
    return `${this.details.replace(/[.\s]*$/, ".")} See npm run bench:gpu -- --help.`
  }
}

const unknown = (what: string, name: string, known: ReadonlyArray<string>) =>
  new UsageError({ details: `Unknown ${what} "${name}". Known: ${known.join(", ")}` })

const arguments_ = Effect.try({
  try: () =>
    parseArgs({
      options: {
        help: { type: "boolean", default: false },
        tiny: { type: "boolean", default: false },
        device: { type: "string", default: "webgpu" },
        parts: { type: "string", default: parts.map(({ number }) => number).join(",") },
        variant: { type: "string", default: Object.keys(variants).join(",") },
        python: { type: "string", default: "python3" },
        minutes: { type: "string" }
      }
    }).values,
  catch: (error) => new UsageError({ details: error instanceof Error ? error.message : String(error) })
})

/** The chosen parts and options, or what is wrong with them. */
const decoded = (flags: Effect.Effect.Success<typeof arguments_>) =>
  Effect.gen(function* () {
    const { device, python, tiny } = flags
    const known = devices.find((name) => name === device)
    if (known === undefined) return yield* unknown("device", device, devices)
    const names = flags.variant.split(",")
    if (!Arr.isNonEmptyArray(names)) return yield* unknown("variant", "", Object.keys(variants))
    const wrong = names.find((name) => !Object.hasOwn(variants, name))
    if (wrong !== undefined) return yield* unknown("variant", wrong, Object.keys(variants))
    const chosen = yield* Effect.forEach(flags.parts.split(","), (number) => {
      const part = parts.find((part) => String(part.number) === number)
      const numbers = parts.map(({ number }) => String(number))
      return part === undefined ? unknown("part", number, numbers) : Effect.succeed(part)
    })
    const minutes = Number(flags.minutes ?? (tiny ? 60 : 5.75))
    if (!(minutes > 0)) return yield* new UsageError({ details: `--minutes ${flags.minutes} is not a positive number` })
    const options: Options = { device: known, tiny, variants: names, python }
    return { options, seconds: minutes * 60, chosen: parts.filter((part) => chosen.includes(part)) }
  })

/** What a part gave, as it goes into the JSON document. */
interface Result {
  readonly part: number
  readonly name: string
  readonly status: "done" | "failed"
  readonly seconds: number
  readonly failures: ReadonlyArray<{ readonly job: string; readonly failure: string }>
  readonly tables: { readonly [table: string]: ReadonlyArray<Row> }
}

interface Clock {
  /** Seconds that are left for all jobs together. */
  readonly left: () => number
  /** The weights of the jobs that have not run. */
  weight: number
}

/** A job gets its share of the time that is left, so what one does not need is there for the next ones. */
const runJob = (job: Job, options: Options, clock: Clock) =>
  Effect.gen(function* () {
    const limit = (Math.max(clock.left(), 1) * job.weight) / clock.weight
    clock.weight -= job.weight
    yield* Console.log(`\n${job.name}, at most ${Math.ceil(limit)} s`)
    const outcome = yield* Children.run(job, options, limit)
    for (const [table, rows] of Object.entries(tablesOf([outcome]))) {
      yield* Console.log(table)
      yield* Console.table(rows)
    }
    for (const failure of outcome.failures) yield* Console.log(`failed: ${failure}`)
    return { job: job.name, ...outcome }
  })

const tablesOf = (outcomes: ReadonlyArray<Children.Outcome>): Result["tables"] =>
  Record.map(
    Arr.groupBy(
      outcomes.flatMap(({ figures }) => figures),
      ({ table }) => table
    ),
    Arr.map(({ row }) => row)
  )

const runPart = ({ jobs, name, number }: Part, options: Options, clock: Clock) =>
  Effect.gen(function* () {
    yield* Console.log(`\n${number}. ${name}`)
    const outcomes = yield* Effect.forEach(jobs(options), (job) => runJob(job, options, clock))
    const tables = tablesOf(outcomes)
    const failures = outcomes.flatMap(({ failures, job }) => failures.map((failure) => ({ job, failure })))
    const wrong = Object.values(tables).some((rows) => rows.some(({ passed }) => passed === false))
    const result: Result = {
      part: number,
      name,
      status: wrong || failures.length > 0 ? "failed" : "done",
      seconds: round(outcomes.reduce((total, { seconds }) => total + seconds, 0)),
      failures,
      tables
    }
    return result
  })

/** Whether the whole is a success: see the file's header. */
const isGood = ({ name, status, tables }: Result): boolean =>
  name === "correctness" ? status === "done" : Object.keys(tables).length > 0

const program = Effect.gen(function* () {
  const flags = yield* arguments_
  if (flags.help) return yield* Console.log(help)
  const { chosen, options, seconds } = yield* decoded(flags)
  const started = Date.now()
  const clock: Clock = {
    left: () => seconds - (Date.now() - started) / 1000,
    weight: chosen.flatMap(({ jobs }) => jobs(options)).reduce((total, { weight }) => total + weight, 0)
  }
  const machine = {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    node: process.version,
    load: loadavg().map((each) => round(each))
  }
  const results = yield* Effect.forEach(chosen, (part) => runPart(part, options, clock))
  const passed = results.every(isGood)
  const document = {
    bench: "gpu",
    date: new Date(started).toISOString(),
    ...options,
    ...machine,
    seconds: round((Date.now() - started) / 1000),
    passed,
    parts: results
  }
  yield* Console.log(`\n${JSON.stringify(document)}`)
  if (!passed) process.exitCode = 1
}).pipe(
  Effect.catchTag("UsageError", ({ message }) =>
    Effect.zipRight(
      Console.error(message),
      Effect.sync(() => {
        process.exitCode = 1
      })
    )
  )
)

NodeRuntime.runMain(program, {
  // 130 as shells have it: without a document, an interruption must not look like a success.
  teardown: (exit, onExit) => (Exit.isInterrupted(exit) ? onExit(130) : defaultTeardown(exit, onExit))
})
