/**
 * Damaged files are refused with typed errors: no defect, no abort, no hang. 100 of each format here, and 100,000 of each in
 * test:full, in processes of their own with little memory, so that an abort ends only one of them.
 *
 * Oracle: none is needed; a reader must return, or fail with an error that has a tag and a message. A case that failed once is kept by
 * its number below.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { full } from "../full.ts"
import { attempt } from "./attempt.ts"
import { folder, formats } from "./readers.ts"

const SAMPLE = 100
const ALL = 100_000
/** Cases of one process. */
const BATCH = 5000
const MEGABYTES = 512
/** How long one case may take, in milliseconds. A few are enough, also on a busy machine. */
const HANG = 300_000

describe("damaged files", () => {
  it.scoped.each(Object.entries(formats))(`%s: ${SAMPLE} are read or refused`, ([, format]) =>
    Effect.gen(function* () {
      const files = yield* format(yield* folder)
      // The files themselves are valid.
      for (const { bytes, read } of files) yield* read(bytes)
      const faults = yield* Effect.forEach(
        Array.from({ length: SAMPLE }, (_, seed) => seed),
        (seed) => attempt(files, seed)
      )
      expect(faults.filter((fault) => fault !== undefined)).toEqual([])
    }).pipe(Effect.provide(NodeContext.layer))
  )
})

describe.skipIf(!full)("damaged files, all", () => {
  it.each(Object.keys(formats))(`%s: ${ALL} are read or refused`, async (format) => {
    const directory = mkdtempSync(join(tmpdir(), "codex-mutations-"))
    const batches = Array.from({ length: ALL / BATCH }, (_, i) => i * BATCH)
    const faults: Array<string> = []
    const work = async () => {
      for (let first = batches.shift(); first !== undefined; first = batches.shift()) {
        faults.push(...(await batch(format, first, join(directory, String(first)))))
      }
    }
    await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work))
    rmSync(directory, { recursive: true })
    expect(faults.slice(0, 10)).toEqual([])
  })
})

/** Reads the cases from `first` in a process. After an abort or a hang, another process continues with the next case. */
const batch = async (format: string, first: number, place: string): Promise<ReadonlyArray<string>> => {
  const faults: Array<string> = []
  for (let from = first; from < first + BATCH; ) {
    const { lines, stderr } = await run([format, String(from), String(first + BATCH), place], place)
    faults.push(...lines)
    const at = readFileSync(place, "utf8").trim()
    if (at === "done") break
    faults.push(`case ${at} of ${format} ended the process, or did not end: ${stderr.slice(0, 2000)}`)
    from = Number(at) + 1
  }
  return faults
}

const run = (words: ReadonlyArray<string>, place: string) =>
  new Promise<{ readonly lines: ReadonlyArray<string>; readonly stderr: string }>((resolve) => {
    const child = spawn(
      process.execPath,
      [`--max-old-space-size=${MEGABYTES}`, "--import", "tsx", "test/mutations/child.ts", ...words],
      { stdio: ["ignore", "pipe", "pipe"] }
    )
    let [stdout, stderr, at] = ["", "", ""]
    child.stdout.on("data", (data: Buffer) => {
      stdout += data.toString()
    })
    child.stderr.on("data", (data: Buffer) => {
      stderr += data.toString()
    })
    const watch = setInterval(() => {
      const now = readFileSync(place, "utf8")
      if (now === at) child.kill("SIGKILL")
      at = now
    }, HANG)
    child.on("close", () => {
      clearInterval(watch)
      resolve({ lines: stdout.split("\n").filter((line) => line !== ""), stderr })
    })
  })
