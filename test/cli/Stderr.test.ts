/**
 * What stderr shows of a command: log lines, and the text and exit code of a failure.
 *
 * Oracle: the table of src/bin.ts, and messages written by hand.
 */
import * as Terminal from "@effect/platform/Terminal"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { exitCode } from "../../src/cli/Process.ts"
import { clearLine, errorText, loggerLayer } from "../../src/cli/Stderr.ts"
import { BackendError } from "../../src/core/Backend.ts"
import * as ExitCode from "../../src/core/ExitCode.ts"
import { ModelError } from "../../src/core/Model.ts"
import { PluginInitError, UnknownPlugin } from "../../src/core/plugin/PluginError.ts"

const unknown = new UnknownPlugin({ kind: "tokenizer", name: "bpee", available: ["bpe", "byte"], nearest: "bpe" })
const backend = new BackendError({ reason: "Run", subject: "train", details: "out of memory." })
const model = new ModelError({ model: "decoder", key: "hidden_size", details: "33 is odd." })
const quiet = { debug: false }

class Foreign extends Error {
  get [ExitCode.symbol]() {
    return 3
  }
}

describe("the error of a command", () => {
  it.each([
    ["a wrong name", Cause.fail(unknown), 2],
    ["a failure", Cause.fail(backend), 1],
    ["a wrong name and a failure", Cause.parallel(Cause.fail(unknown), Cause.fail(backend)), 1],
    [
      "a plugin that finds its config wrong when it starts",
      Cause.fail(new PluginInitError({ kind: "model", name: "decoder", origin: "codex", cause: model })),
      2
    ],
    [
      "a plugin that does not start for another reason",
      Cause.fail(new PluginInitError({ kind: "model", name: "decoder", origin: "codex", cause: backend })),
      1
    ],
    ["an error of another package that asks for a code", Cause.fail(new Foreign()), 3],
    ["two errors that ask for different codes", Cause.parallel(Cause.fail(new Foreign()), Cause.fail(unknown)), 1],
    ["a defect", Cause.die(new Error("bug")), 1],
    ["an interruption", Cause.interrupt(FiberId.none), 130],
    ["a prompt that was quit", Cause.fail(new Terminal.QuitException()), 130],
    [
      "a failure whose finalizer was interrupted",
      Cause.sequential(Cause.fail(backend), Cause.interrupt(FiberId.none)),
      1
    ]
  ])("gives %s the exit code of the table", (_, cause, code) => expect(exitCode(cause)).toBe(code))

  it("prints the message of an error and nothing else", () => {
    expect(errorText(Cause.fail(unknown), quiet)).toBe(
      'Unknown tokenizer "bpee". Did you mean bpe? Available: bpe, byte.'
    )
  })

  it("prints each of several failures once", () => {
    const cause = Cause.parallel(Cause.parallel(Cause.fail(backend), Cause.fail(unknown)), Cause.fail(backend))
    expect(errorText(cause, quiet).split("\n")).toEqual([backend.message, unknown.message])
  })

  it("treats a wrong environment variable as config", async () => {
    const exit = await Effect.runPromiseExit(
      Effect.withConfigProvider(
        Config.integer("CODEX_THREADS"),
        ConfigProvider.fromMap(new Map([["CODEX_THREADS", "x"]]))
      )
    )
    if (exit._tag === "Success") throw new Error("x is not an integer")
    expect(exitCode(exit.cause)).toBe(2)
    expect(errorText(exit.cause, quiet)).toContain("CODEX_THREADS")
  })

  it("has nothing to say of an interruption", () => {
    expect(errorText(Cause.interrupt(FiberId.none), quiet)).toBe("")
  })

  it("names the tag of an error without a message, and prints a failure that is not an error", () => {
    expect(errorText(Cause.fail({ _tag: "Odd" }), quiet)).toBe("Odd")
    expect(errorText(Cause.fail("plain"), quiet)).toBe("plain")
  })
})

describe("log lines", () => {
  const logged = (isTTY: boolean, effect: Effect.Effect<void>) => {
    const written: Array<string> = []
    const out = { isTTY, write: (text: string) => written.push(text) }
    return effect.pipe(Effect.provide(loggerLayer(out)), Logger.withMinimumLogLevel(LogLevel.All), Effect.as(written))
  }

  it.effect("labels what is not information", () =>
    Effect.gen(function* () {
      expect(yield* logged(false, Effect.logInfo("started"))).toEqual(["started\n"])
      expect(yield* logged(false, Effect.logWarning("no GPU"))).toEqual(["warning: no GPU\n"])
      expect(yield* logged(false, Effect.logError("lost", { step: 3 }))).toEqual(['error: lost {"step":3}\n'])
    })
  )

  it.effect("says the message of a cause, not its stack", () =>
    Effect.gen(function* () {
      const written = yield* logged(false, Effect.logWarning("retry", Cause.fail(new Error("refused"))))
      expect(written).toEqual(["warning: retry refused\n"])
    })
  )

  it.effect("clears the progress line of a terminal", () =>
    Effect.gen(function* () {
      expect(yield* logged(true, Effect.logInfo("saved"))).toEqual([`${clearLine}saved\n`])
    })
  )
})
