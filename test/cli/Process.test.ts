/**
 * The life of the process, with real children: what a shell sees of success, failure, bugs, signals and closed pipes.
 *
 * Oracle: the table of exit codes in src/bin.ts and the conventions of POSIX shells (128 + signal).
 */
import { describe, expect, it } from "vitest"
import { type Child, program } from "./children.ts"

const start = (...words: ReadonlyArray<string>): Child => program("test/cli/fixtures/process.ts", ...words)

describe("a process", () => {
  it("prints a foreseen failure as its message alone, and ends with 1", async () => {
    const { code, stdout, stderr } = await start("fails").finished
    expect(stderr).toBe("The disk of runs is full. Free some space and run it again.\n")
    expect([code, stdout]).toEqual([1, ""])
  })

  it("shows a trace under --debug", async () => {
    const { code, stderr } = await start("fails", "--debug").finished
    expect(stderr).toMatch(/^The disk of runs is full\..*\n[\s\S]*\n {4}at /)
    expect(code).toBe(1)
  })

  it("calls a defect a bug, without a trace", async () => {
    const { code, stderr } = await start("dies").finished
    expect(stderr).toBe(
      "internal error: x is not a function\nThis is a bug in codex; please report it. Run it again with --debug for a trace.\n"
    )
    expect(code).toBe(1)
  })

  it("keeps warnings off stdout", async () => {
    expect(await start("warns").finished).toEqual({
      code: 0,
      signal: null,
      stdout: "result\n",
      stderr: "warning: the GPU is away\n"
    })
  })

  it.each([
    ["SIGHUP", 129],
    ["SIGINT", 130],
    ["SIGQUIT", 131],
    ["SIGTERM", 143]
  ] as const)("releases what it holds on %s, says nothing, and ends with %i", async (signal, code) => {
    const child = start("wait")
    await child.said("started")
    child.process.kill(signal)
    expect(await child.finished).toEqual({ code, signal: null, stdout: "started\n", stderr: "released\n" })
  })

  it("takes two signals of one key press for one, as npx sends them", async () => {
    const child = start("wait")
    await child.said("started")
    child.process.kill("SIGINT")
    child.process.kill("SIGINT")
    expect(await child.finished).toMatchObject({ code: 130, stderr: "released\n" })
  })

  it("quits at once on a second Ctrl-C", async () => {
    const child = start("wait-forever")
    await child.said("started")
    child.process.kill("SIGINT")
    await child.said("releasing")
    // Later than the second of two signals that are taken for one.
    await new Promise((resolve) => setTimeout(resolve, 700))
    child.process.kill("SIGINT")
    expect(await child.finished).toMatchObject({ code: 130, signal: null, stderr: "" })
  })

  it("ends without a message when the reader of its output is gone, and releases its resources", async () => {
    const child = start("endless")
    await child.said("output")
    child.process.stdout?.destroy()
    expect(await child.finished).toMatchObject({ code: 0, stderr: "released\n" })
  })
})
