/**
 * The command in this process: shared options, and what a handler sees of the console. Oracle: what was typed.
 */
import * as Command from "@effect/cli/Command"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
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
