/**
 * The journal of a project. Oracle: the tables as a Markdown parser of a few lines reads them (GitHub Flavored Markdown, section
 * 4.10: cells are separated by pipes without a backslash before them), lines as JSON.parse reads them, and rows counted.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import { defaultRules, redact } from "../../../src/core/data/Redaction.ts"
import { ChangeJournal } from "../../../src/services/logs/ChangeJournal.ts"
import { node } from "../../cli/children.ts"
import { bundled } from "./program.ts"

let directory = ""
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "codex-journal-"))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

class Odd extends Schema.TaggedError<Odd>()("Odd", {
  where: Schema.String,
  details: Schema.Unknown,
  cause: Schema.optional(Schema.Defect)
}) {
  override get message() {
    return `odd at ${this.where}`
  }
}

/** Runs a command with a journal, and gives what was warned of. */
const command = (
  effect: Effect.Effect<unknown, unknown, ChangeJournal>,
  options: Partial<ChangeJournal.Options> = {}
) =>
  Effect.gen(function* () {
    const warnings: Array<string> = []
    const logger = Logger.make(({ message }) => {
      warnings.push(String(message))
    })
    yield* Effect.scoped(
      Effect.flatMap(
        ChangeJournal.open({ directory, command: "codex test", arguments: [], session: "s1", ...options }),
        (journal) => Effect.provideService(effect, ChangeJournal, journal)
      )
    ).pipe(Effect.exit, Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    return warnings
  })

/** Cells of the rows, as Markdown has them. */
const table = (file = "results.md"): ReadonlyArray<ReadonlyArray<string>> => {
  const text = readFileSync(join(directory, file), "utf8")
  expect(text.startsWith("# Results\n\n")).toBe(true)
  const lines = text.split("\n").filter((line) => line.startsWith("|"))
  expect(text.split("\n").slice(6).join("\n")).toBe(`${lines.slice(2).join("\n")}${lines.length > 2 ? "\n" : ""}`)
  expect(lines[1]).toBe("|---|---|---|---:|---|---|")
  return lines.slice(2).map((line) => {
    const cells = line.split(/(?<!\\)(?:\\\\)*\|/)
    expect(cells.length, line).toBe(8)
    return cells.slice(1, -1).map((cell) => cell.trim())
  })
}

const errors = () =>
  readFileSync(join(directory, "errors.ndjson"), "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line))

const circle: Record<string, unknown> = { name: "circle" }
circle.self = circle
const angry = {
  toJSON: () => {
    throw new Error("no JSON")
  }
}

describe("results.md", () => {
  it.live("has a row for each command, with its last result", () =>
    Effect.gen(function* () {
      yield* command(Effect.zipRight(ChangeJournal.result("first"), ChangeJournal.result("loss 3.2")), {
        command: "codex train",
        arguments: ["--run", "x"]
      })
      yield* command(Effect.void, { session: undefined })
      yield* command(Effect.fail(new Odd({ where: "here", details: 1 })))
      yield* command(Effect.interrupt)
      expect(table().map(([, ...cells]) => cells)).toEqual([
        ["codex train --run x", "success", "0.0", "loss 3.2", "s1"],
        ["codex test", "success", "0.0", "", ""],
        ["codex test", "failure", "0.0", "odd at here", "s1"],
        ["codex test", "interrupted", "0.0", "", "s1"]
      ])
      expect(table()[0]?.[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
      expect(readdirSync(directory).sort()).toEqual(["errors.ndjson", "results.md"])
    })
  )

  it.live("has no row for successes if they are turned off", () =>
    Effect.gen(function* () {
      yield* command(Effect.void, { successes: false })
      expect(readdirSync(directory)).toEqual([])
      yield* command(Effect.fail("no"), { successes: false })
      expect(table().length).toBe(1)
    })
  )

  it.live("escapes markup in words and results", () =>
    Effect.gen(function* () {
      const hostile = "a|b \\| `c` <script>alert(1)</script> *d* _e_ [f](g)\r\n| x | \u001b[31m\u2028\u202e \0"
      yield* command(ChangeJournal.result(hostile), { arguments: [hostile, "\\", "`"] })
      const [row = []] = table()
      const shown =
        "a\\|b \\\\\\| \\`c\\` \\<script\\>alert(1)\\</script\\> \\*d\\* \\_e\\_ \\[f\\](g) \\| x \\| \\[31m"
      expect(row[4]).toBe(shown)
      expect(row[1]).toBe(`codex test ${shown} \\\\ \\\``)
    })
  )

  it("stays a table for any text (property)", () =>
    FastCheck.assert(
      FastCheck.asyncProperty(
        FastCheck.string({ unit: "binary", maxLength: 400 }),
        FastCheck.array(FastCheck.constantFrom("|", "\\", "\n", "`", "<", "x", "\ud83d"), { maxLength: 200 }),
        async (one, other) => {
          rmSync(join(directory, "results.md"), { force: true })
          await Effect.runPromise(command(ChangeJournal.result(one), { arguments: [other.join("")] }))
          expect(table().length).toBe(1)
          expect(readFileSync(join(directory, "results.md"), "utf8")).not.toMatch(/\p{Cc}(?<!\n)/u)
        }
      ),
      { numRuns: 100 }
    ))

  it.live("shortens long texts between two characters", () =>
    Effect.gen(function* () {
      yield* command(ChangeJournal.result(`${"x".repeat(158)}\u{1F44D}${"y".repeat(1e6)}`))
      expect(table()[0]?.[4]).toBe(`${"x".repeat(158)}…`)
    })
  )

  it.live("begins a new table when it is full, and keeps the previous one", () =>
    Effect.gen(function* () {
      yield* command(Effect.void)
      const text = readFileSync(join(directory, "results.md"), "utf8")
      const row = text.split("\n").at(-2) ?? ""
      writeFileSync(join(directory, "results.md"), `${text}${`${row}\n`.repeat(1200)}`)
      yield* command(Effect.void)
      expect([table("results.1.md").length, table().length]).toEqual([1201, 1])
      // A roll whose process died holds the next one up, not for ever, and no row is lost.
      writeFileSync(join(directory, "results.md"), `${text}${`${row}\n`.repeat(1200)}`)
      const lock = join(directory, "results.md.rolling")
      writeFileSync(lock, "")
      yield* command(Effect.void)
      expect(table().length).toBe(1202)
      utimesSync(lock, 1, 1)
      yield* command(Effect.void)
      yield* command(Effect.void)
      expect([table("results.1.md").length, table().length]).toEqual([1203, 1])
      expect(readdirSync(directory).sort()).toEqual(["results.1.md", "results.md"])
    })
  )
})

describe("eight processes", () => {
  let journalist = ""
  beforeAll(async () => {
    journalist = await bundled(join(import.meta.dirname, "journalist.ts"))
  })
  afterAll(() => rmSync(journalist, { force: true }))

  it("write 50 rows each; none is broken, and none is lost when the table is renamed", async () => {
    const finished = await Promise.all(
      Array.from({ length: 8 }, (_, i) => node([journalist, directory, `p${i}`, "50"]).finished)
    )
    expect(finished.map(({ code, stderr }) => [code, stderr])).toEqual(finished.map(() => [0, ""]))
    const rows = [...(existsSync(join(directory, "results.1.md")) ? table("results.1.md") : []), ...table()]
    // 400 rows of some 220 bytes: the table was full once.
    expect(existsSync(join(directory, "results.1.md"))).toBe(true)
    expect(rows.map(([, words]) => words).sort()).toEqual(
      Array.from({ length: 400 }, (_, i) => `codex test p${Math.floor(i / 50)}-${i % 50}`).sort()
    )
    expect(readdirSync(directory).sort()).toEqual(["results.1.md", "results.md"])
  })
})

describe("errors.ndjson", () => {
  it.live("has a line for each failure and defect, with tag, message and fields", () =>
    Effect.gen(function* () {
      yield* command(Effect.fail(new Odd({ where: "run\n", details: { n: [1] }, cause: new Error("deep") })), {
        command: "codex train",
        arguments: ["a b"]
      })
      yield* command(Effect.die(new TypeError("bug")))
      yield* command(Effect.fail("words"), { session: undefined })
      yield* command(Effect.fail({ _tag: "Plain", n: 1 }))
      yield* command(Effect.fail(undefined))
      yield* command(Effect.zipRight(Effect.void, Effect.interrupt))
      yield* command(
        Effect.all([Effect.fail(new Odd({ where: "both", details: 0 })), Effect.never], { concurrency: 2 })
      )
      const found = errors()
      expect(found[0]).toEqual({
        ts: expect.any(Number),
        time: new Date(found[0].ts * 1000).toISOString(),
        session_id: "s1",
        command: "codex train",
        arguments: ["a b"],
        outcome: "failure",
        error: { tag: "Odd", message: "odd at run\n", fields: { where: "run\n", details: { n: [1] } } }
      })
      expect(found.slice(1).map(({ error, outcome, session_id }) => [outcome, session_id, error])).toEqual([
        ["defect", "s1", { tag: null, message: "bug", trace: expect.stringMatching(/^TypeError: bug\n +at /) }],
        ["failure", null, { tag: null, message: "words" }],
        ["failure", "s1", { tag: "Plain", message: expect.stringContaining("Plain"), fields: { n: 1 } }],
        ["failure", "s1", { tag: null, message: "undefined" }],
        ["failure", "s1", { tag: "Odd", message: "odd at both", fields: { where: "both", details: 0 } }]
      ])
    })
  )

  it.live("has errors whose fields JSON cannot hold", () =>
    Effect.gen(function* () {
      const bare: unknown = Object.create(null)
      const hostile = [
        circle,
        angry,
        2n ** 70n,
        Symbol("s"),
        () => 1,
        Number.NaN,
        new Map([[1, 2]]),
        bare,
        "\ud83d",
        "\0"
      ]
      for (const details of hostile) expect(yield* command(Effect.fail(new Odd({ where: "x", details })))).toEqual([])
      for (const failure of [bare, Symbol("s"), 2n ** 70n, circle, angry])
        expect(yield* command(Effect.fail(failure))).toEqual([])
      expect(errors().length).toBe(hostile.length + 5)
      expect(errors()[2].error.fields.details).toBe(String(2n ** 70n))
      expect(table().length).toBe(hostile.length + 5)
    })
  )
})

describe("secrets", () => {
  it.live("are removed from words, messages, results and fields at any depth", () =>
    Effect.gen(function* () {
      const secret = `ghp_${"a1B2".repeat(9)}`
      const clean = {
        redact: (text: string) => redact(text, defaultRules),
        arguments: [`--key=${secret}`, `x${secret}`]
      }
      yield* command(ChangeJournal.result(`used ${secret}`), { ...clean, arguments: [secret] })
      yield* command(Effect.fail(new Odd({ where: secret, details: { deep: [`a ${secret}`], password: "hunter2" } })), {
        ...clean,
        arguments: [`--key=${secret}`]
      })
      const everything = ["results.md", "errors.ndjson"]
        .map((file) => readFileSync(join(directory, file), "utf8"))
        .join()
      expect(everything).not.toContain(secret)
      expect(everything).not.toContain("hunter2")
      expect(errors()[0].error.fields).toEqual({
        where: "[redacted:github-token]",
        details: { deep: ["a [redacted:github-token]"], password: "[redacted:password]" }
      })
    })
  )
})

describe("a directory that cannot be written", () => {
  it.live("is a warning, and the command continues", () =>
    Effect.gen(function* () {
      writeFileSync(join(directory, "file"), "")
      const below = { directory: join(directory, "file/x") }
      expect(yield* command(Effect.void, below)).toEqual([expect.stringContaining("file/x could not be written")])
      mkdirSync(join(directory, "results.md"))
      expect(yield* command(Effect.fail("no"))).toEqual([expect.stringContaining("could not be written")])
      // What can be written is.
      expect(errors().length).toBe(1)
    })
  )
})
