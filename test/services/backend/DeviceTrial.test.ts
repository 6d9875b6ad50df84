/**
 * A device that is tried in a process of its own: the real one, and small programs that end as a broken driver ends its process.
 *
 * Oracles: the device, the signals and codes that the programs end with, and the clock of the test.
 */
import { fork } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as EventLoop from "../../../src/core/EventLoop.ts"
import * as DeviceTrial from "../../../src/services/backend/DeviceTrial.ts"
import { remedies } from "../../../src/services/backend/onnx/OnnxDevice.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-trial-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** A trial whose process is this program. `onMessage` is called for each message that it sends. */
const trialOf = (name: string, program: string, onMessage = () => {}) => {
  const file = join(folder, `${name}.cjs`)
  writeFileSync(file, program)
  return DeviceTrial.start("webgpu", {
    spawn: () => fork(file, { execArgv: [], stdio: ["ignore", "pipe", "pipe", "ipc"] }).on("message", onMessage)
  })
}
const up = 'process.send({ _tag: "Ready" });'
const info = { device: "webgpu", threads: 1, description: "a card" }
const started = `process.send({ _tag: "Started", info: ${JSON.stringify(info)} }, () => { process.disconnect(); END });`

it.live("says what the device says, with the threads that were asked for", () =>
  Effect.gen(function* () {
    expect(yield* DeviceTrial.start("cpu", { threads: 3 })).toEqual({
      device: "cpu",
      threads: 3,
      description: "onnxruntime-node 1.30.0, CPUExecutionProvider, 3 threads"
    })
  })
)

// Windows has no signals.
describe.skipIf(process.platform === "win32")("a process", () => {
  it.live("that says what the device is and ends is a device that starts, whatever it writes", () =>
    Effect.gen(function* () {
      const noise = 'console.log("noise"); console.error("Warning: more noise");'
      expect(yield* trialOf("good", `${up} ${noise} ${started.replace("END", "")}`)).toEqual(info)
    })
  )

  it.live.each([
    ["aborts", `${up} process.kill(process.pid, "SIGSEGV")`, "the process that tried it was ended by SIGSEGV."],
    ["ends before it is up", "process.exit(3)", "the process that tried it ended with code 3."],
    [
      "aborts when the device is released",
      `${up} ${started.replace("END", 'process.kill(process.pid, "SIGSEGV")')}`,
      "it started, but then its process was ended by SIGSEGV."
    ]
  ])("that %s is an error with the remedy of the device", ([name = "", program = "", details]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(trialOf(name, program))
      expect(error.message).toBe(`Device "webgpu" cannot start: ${details} ${remedies.webgpu}`)
    })
  )

  it.effect("that does not answer is ended a minute after it was up", () =>
    Effect.gen(function* () {
      let isUp = false
      const hangs = trialOf("hangs", `${up} setInterval(() => {}, 1000)`, () => {
        isUp = true
      })
      const trial = yield* Effect.fork(Effect.flip(hangs))
      // Real time passes until the process is up, and the clock of the test stands still.
      while (!isUp) yield* EventLoop.turn
      yield* TestClock.adjust("59 seconds")
      expect((yield* Fiber.poll(trial))._tag).toBe("None")
      yield* TestClock.adjust("1 seconds")
      expect((yield* Fiber.join(trial)).message).toContain("it did not answer in 60 s. ")
    })
  )

  it.live("that cannot be made is an error too", () =>
    Effect.gen(function* () {
      const spawn = () => fork("\0")
      const error = yield* Effect.flip(DeviceTrial.start("webgpu", { spawn }))
      expect(error.message).toContain('Device "webgpu" cannot start: TypeError')
    })
  )
})
