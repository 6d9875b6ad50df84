/**
 * The command in this process: shared options, and what a handler sees of the console. Oracle: what was typed.
 */
import * as Command from "@effect/cli/Command"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { main } from "../../src/cli/main.ts"
import * as Options from "../../src/cli/Options.ts"

const recorded = (lines: Array<string>): Effect.Effect<Console.Console> =>
  Console.consoleWith((console) =>
    Effect.succeed({
      ...console,
      log: (...args) => Effect.sync(() => void lines.push(args.join(" "))),
      error: (...args) => Effect.sync(() => void lines.push(`error: ${args.join(" ")}`))
    })
  )

describe("main", () => {
  it.effect("prints help once, coloured when asked", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const console = yield* recorded(lines)
      yield* Effect.withConsole(main(["--help"], { colour: true }), console)
      yield* Effect.withConsole(main(["--help"], { colour: false }), console)
      expect(lines).toHaveLength(2)
      expect(lines[0]).toContain("\u001b[")
      expect(lines[1]).not.toContain("\u001b[")
      expect(lines[1]).toContain("$ codex")
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.effect("prints the help of every command with at most 80 characters a line, and an example to copy", () =>
    Effect.gen(function* () {
      const helpOf = (...words: ReadonlyArray<string>) =>
        Effect.gen(function* () {
          const lines: Array<string> = []
          yield* Effect.withConsole(main([...words, "--help"], { colour: false }), yield* recorded(lines))
          return lines.join("\n")
        })
      const commands = [...(yield* helpOf()).matchAll(/^ {2}([a-z]+(?: [a-z][a-z-]*)?)/gm)].map(
        ([, command = ""]) => command
      )
      expect(commands).toEqual(expect.arrayContaining(["train", "export onnx", "plugins list", "logs init-sample"]))
      for (const command of commands) {
        const help = yield* helpOf(...command.split(" "))
        const [examples, others] = Arr.partition(help.split("\n"), (line) => !line.startsWith("Example: "))
        expect(examples.length, command).toBeGreaterThan(0)
        expect(
          examples.filter((line) => !line.startsWith(`Example: codex ${command}`) && !line.includes("hook"))
        ).toEqual([])
        expect(others.filter((line) => line.length > 80)).toEqual([])
        expect(help).not.toMatch(/This setting is optional|A user-defined/)
      }
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.effect("prints what must follow a group, and brackets around an option that may be repeated", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const console = yield* recorded(lines)
      yield* Effect.withConsole(main(["plugins", "--help"], { colour: false }), console)
      yield* Effect.withConsole(main(["evaluate", "--help"], { colour: false }), console)
      expect(lines[0]).toContain("$ codex plugins <command>\n")
      expect(lines[1]).toContain(
        "$ codex evaluate --run directory [--data path]... [--metrics names]\n    [--checkpoint name]"
      )
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.effect("leaves the scripts of --completions alone", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      yield* Effect.withConsole(main(["--completions", "bash"], { colour: false }), yield* recorded(lines))
      expect(
        lines
          .join("")
          .split("\n")
          .some((line) => line.length > 80)
      ).toBe(true)
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.effect("fails with a wrong line and prints nothing itself", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const console = yield* recorded(lines)
      const error = yield* main(["plugins", "lst"], { colour: false }).pipe(Effect.withConsole(console), Effect.flip)
      expect(error).toMatchObject({ _tag: "UsageError", command: "codex plugins", usage: "codex plugins <list>" })
      expect(lines).toEqual([])
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.effect("gives a handler the console that it was called with", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      yield* Effect.withConsole(main(["plugins", "list", "--json"], { colour: false }), yield* recorded(lines))
      expect(lines).toHaveLength(1)
      expect(JSON.parse(lines[0] ?? "")).toBeInstanceOf(Array)
    }).pipe(Effect.provide(NodeContext.layer))
  )
})

describe("overrides", () => {
  const parsed = (...words: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      let got: ReadonlyArray<string> = []
      const command = Command.make("test", { overrides: Options.overrides, json: Options.json }, (options) =>
        Effect.sync(() => {
          got = options.overrides
        })
      )
      const quiet = yield* recorded([])
      yield* Command.run(command, { name: "test", version: "0" })(["node", "test", ...words]).pipe(
        Effect.withConsole(quiet)
      )
      return got
    })

  it.effect("takes every form of an override, among options", () =>
    Effect.gen(function* () {
      const words = ["training.epochs=2", "+dry_run=true", "~tracking.mlflow", "data.paths=[a,b]"]
      expect(yield* parsed(...words)).toEqual(words)
      expect(yield* parsed("--json", ...words)).toEqual(words)
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.effect("refuses an option that is mistyped", () =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(parsed("a=1", "--resum"))).toMatchObject({ _tag: "InvalidArgument" })
    }).pipe(Effect.provide(NodeContext.layer))
  )
})
