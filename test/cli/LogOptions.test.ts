/**
 * The grammar of the commands that read logs, in this process. Oracle: the words that were typed, and messages written by hand.
 */
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as ValidationError from "@effect/cli/ValidationError"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as LogOptions from "../../src/cli/LogOptions.ts"
import { main } from "../../src/cli/main.ts"
import { queryOf } from "../../src/cli/ReadLog.ts"

const options = {
  ...LogOptions.source,
  ...LogOptions.filter,
  ...LogOptions.page,
  format: LogOptions.format("text", "lines.")
}

const silent = Console.consoleWith((console) =>
  Effect.succeed({ ...console, log: () => Effect.void, error: () => Effect.void })
)

/** What a command gets of the words, at 2026-11-24T13:08:34Z. */
const parsed = (...words: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(1795525714000)
    const got: Array<Command.Command.ParseConfig<typeof options>> = []
    const command = Command.make("test", options, (given) => Effect.sync(() => void got.push(given)))
    yield* Command.run(command, { name: "test", version: "0" })(["node", "test", ...words]).pipe(
      Effect.withConsole(yield* silent)
    )
    const [value] = got
    return value ?? (yield* Effect.dieMessage("the command did not run"))
  }).pipe(Effect.provide(NodeContext.layer))

const refusal = (...words: ReadonlyArray<string>) =>
  Effect.map(Effect.flip(parsed(...words)), (error) =>
    ValidationError.isValidationError(error) ? HelpDoc.toAnsiText(error.error).trim() : String(error)
  )

describe("options of logs", () => {
  it.effect("select everything by default", () =>
    Effect.gen(function* () {
      const given = yield* parsed()
      expect(given.format).toBe("text")
      expect(queryOf(given)).toEqual({ roles: [], levels: [] })
    })
  )

  it.effect("become a query", () =>
    Effect.gen(function* () {
      const words =
        "--session-id s1 --role user --role tool --level warn,error --level FATAL --since 2026-11-24T13:00 " +
        "--until 1795525714.5 --last 7 --limit 5 --offset 0 --order desc --format csv"
      const given = yield* parsed("--contains", "%_ 'x'", ...words.split(" "))
      expect(queryOf(given)).toEqual({
        sessionId: "s1",
        roles: ["user", "tool"],
        levels: ["warn", "error", "FATAL"],
        contains: "%_ 'x'",
        since: 1795525200,
        until: 1795525714.5,
        last: 7,
        limit: 5,
        offset: 0,
        order: "desc"
      })
      expect(given.format).toBe("csv")
      expect(Option.map(given.period.since, ({ assumedUtc }) => assumedUtc)).toEqual(Option.some(true))
      expect(Option.map(given.period.until, ({ assumedUtc }) => assumedUtc)).toEqual(Option.some(false))
    })
  )

  it.effect("have aliases", () =>
    Effect.gen(function* () {
      const query = queryOf(yield* parsed("--after", "2h", "--before", "30 minutes ago", "--tail", "3"))
      expect(query).toMatchObject({ since: 1795518514, until: 1795523914, last: 3 })
    })
  )

  it.effect("name the log, its table and its columns", () =>
    Effect.gen(function* () {
      const words = "--db a.db --table t --time-column a --session-column b --role-column c --message-column d"
      expect(yield* parsed(...words.split(" "), "--level-column", "e", "--metadata-column", "f")).toMatchObject({
        db: Option.some("a.db"),
        table: Option.some("t"),
        timeColumn: Option.some("a"),
        sessionColumn: Option.some("b"),
        roleColumn: Option.some("c"),
        messageColumn: Option.some("d"),
        levelColumn: Option.some("e"),
        metadataColumn: Option.some("f")
      })
    })
  )

  it.effect("refuse what is not a number, a time or an order", () =>
    Effect.gen(function* () {
      for (const name of ["last", "limit", "offset"])
        for (const value of ["-1", "1.5", "x", "", "1e3", "9007199254740993"])
          expect(yield* refusal(`--${name}`, value)).toBe(`Option "--${name}" must be a whole number, 0 or more.`)
      expect(yield* refusal("--since", "soon")).toMatch(
        /^Option "--since": "soon" is not a time\. Use one of: 2026-11-24T13:00:00Z, .*, or seconds since 1970\.$/
      )
      expect(yield* refusal("--before", "2026-02-30")).toMatch(
        /^Option "--until": "2026-02-30" is not a time\. The calendar does not have this day\. /
      )
      expect(yield* refusal("--since", "1h", "--until", "yesterday")).toBe(
        "--since 1h is after --until yesterday: no event can be between them."
      )
      expect(queryOf(yield* parsed("--since", "5", "--until", "5"))).toMatchObject({ since: 5, until: 5 })
      expect(yield* refusal("--order", "up")).toContain("asc")
      expect(yield* refusal("--format", "xml")).toContain("ndjson")
    })
  )
})

describe("help", () => {
  it.effect("has each command on a short line, with a description below", () =>
    Effect.gen(function* () {
      const printed: Array<string> = []
      const console = yield* Console.consoleWith((console) =>
        Effect.succeed({
          ...console,
          log: (...args: ReadonlyArray<unknown>) => Effect.sync(() => void printed.push(args.join(" ")))
        })
      )
      yield* Effect.withConsole(main(["logs", "--help"], { colour: false }), console)
      const commands = /COMMANDS\n\n([\s\S]*?)\n\nEverywhere/.exec(printed.join("\n"))?.[1]?.split(/\n(?= {2}\S)/) ?? []
      const names = commands.map((command) => /^ {2}(\w[\w-]*)/.exec(command)?.[1])
      expect(names).toEqual("view query tail export stats sessions record rotate snapshot init-sample hook".split(" "))
      expect(commands[0]).toBe(
        "  view [options]\n      Print events for reading: whole messages, with a heading for each session\n      and day."
      )
      for (const command of commands) expect(command).toMatch(/^ {2}\S.{1,77}(\n {6}\S.{0,73})+$/)
    }).pipe(Effect.provide(NodeContext.layer))
  )
})
