/**
 * `codex logs export`, and the files that it writes: complete or not at all, and never over the log.
 *
 * Oracles: gunzip of node:zlib, the bytes that were there before, and the names in the directory.
 */
import { execFile } from "node:child_process"
import { linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { gunzipSync } from "node:zlib"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { root } from "../../../scripts/build.mjs"
import * as OutputFile from "../../../src/cli/OutputFile.ts"
import { startProgram } from "../children.ts"
import { database } from "../logDatabase.ts"
import { make } from "../workspace.ts"

const { directory, remove, start } = make()
afterAll(remove)

const at = (name: string) => join(directory, name)
const exported = (...words: ReadonlyArray<string>) => start("logs", "export", "--db", "log.db", ...words).finished
const left = () => readdirSync(directory).filter((name) => name.endsWith(".codex-new"))

const rows = 20_000
beforeAll(() => {
  database(
    at("log.db"),
    `CREATE TABLE session_events(ts REAL, session_id TEXT, role TEXT, message TEXT);
    INSERT INTO session_events
      WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows - 1})
      SELECT 1795525714 + i, 's' || (i % 3), 'user', 'message number ' || i FROM n`
  ).close()
})

describe("codex logs export", () => {
  it("writes every event to stdout, as NDJSON by default", async () => {
    const { code, stdout, stderr } = await exported()
    expect([code, stderr]).toEqual([0, ""])
    const messages = stdout
      .split("\n")
      .slice(0, -1)
      .map((row) => JSON.parse(row).message)
    expect(messages).toEqual(Array.from({ length: rows }, (_, i) => `message number ${i}`))
  })

  it("compresses, reports how much it wrote, and replaces a file only with --force", async () => {
    const words = ["--output", "events.csv.gz", "--format", "csv", "--session-id", "s1"]
    const first = await exported(...words)
    expect(first).toMatchObject({ code: 0, stdout: "" })
    expect(first.stderr.split("\n").at(-2)).toBe("6667 events in events.csv.gz")
    const bytes = readFileSync(at("events.csv.gz"))
    const lines = gunzipSync(bytes).toString().split("\r\n")
    expect([lines.length, lines[1]?.split(",")[5]]).toEqual([6667 + 2, "message number 1"])
    expect(await exported(...words)).toMatchObject({
      code: 1,
      stderr:
        "events.csv.gz could not be written: there is already a file of that name. Choose another path, or replace the file with --force.\n"
    })
    expect(readFileSync(at("events.csv.gz")).equals(bytes)).toBe(true)
    expect((await exported(...words, "--force", "--limit", "2")).code).toBe(0)
    expect(
      gunzipSync(readFileSync(at("events.csv.gz")))
        .toString()
        .split("\r\n")
    ).toHaveLength(4)
  })

  it("never writes over the log", async () => {
    const before = readFileSync(at("log.db"))
    symlinkSync("log.db", at("link.ndjson"))
    expect(await exported("--output", "link.ndjson", "--force")).toMatchObject({
      code: 1,
      stderr: "link.ndjson could not be written: it is the log itself. Choose another path.\n"
    })
    expect(readFileSync(at("log.db")).equals(before)).toBe(true)
    expect(left()).toEqual([])
  })

  it("leaves nothing behind when the disk is full", async () => {
    // A limit on the size of files, in blocks of 1,024 bytes, takes the place of the disk.
    const script = 'trap \'\' XFSZ; ulimit -f 64; exec "$0" "$@"'
    const words = [join(root, "dist/bin.js"), "logs", "export", "--db", "log.db", "--output"]
    for (const file of ["large.ndjson", "large.csv.gz"]) {
      const limited = startProgram("bash", ["-c", script, process.execPath, ...words, file], { cwd: directory })
      const { code, stderr } = await limited.finished
      expect([code, stderr.split("\n").at(-2)]).toEqual([
        1,
        `${file} could not be written: the file is larger than the file system allows. Choose another disk.`
      ])
    }
    expect(readdirSync(directory).filter((name) => name.startsWith("large"))).toEqual([])
    expect(left()).toEqual([])
  })

  it("leaves nothing behind when it is interrupted", async () => {
    const child = start("logs", "export", "--db", "log.db", "--output", "half.json", "--format", "json")
    await new Promise((resolve) => child.process.stderr?.once("data", resolve))
    child.process.kill("SIGINT")
    expect((await child.finished).code).toBe(130)
    expect(readdirSync(directory)).not.toContain("half.json")
    expect(left()).toEqual([])
  })
})

describe("an output file", () => {
  const write = (path: string, texts: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const file = yield* OutputFile.create(path, { force: true, keep: [] })
      for (const text of texts) yield* file.write(text)
      yield* file.finish
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
  const refusal = (path: string, force = false, keep: ReadonlyArray<string> = []) =>
    OutputFile.create(path, { force, keep }).pipe(
      Effect.scoped,
      Effect.flip,
      Effect.map(({ message }) => message),
      Effect.provide(NodeContext.layer),
      Effect.runPromise
    )

  it("has the whole content, also through a link", async () => {
    writeFileSync(at("old.txt"), "old")
    symlinkSync("old.txt", at("to-old"))
    await Effect.runPromise(write(at("to-old"), ["é", "", "x".repeat(200_000)]))
    expect(readFileSync(at("old.txt"), "utf8")).toBe(`é${"x".repeat(200_000)}`)
    expect(left()).toEqual([])
  })

  it("replaces the old file only when it is finished", async () => {
    writeFileSync(at("kept.txt.gz"), "old")
    await Effect.runPromise(
      Effect.gen(function* () {
        const file = yield* OutputFile.create(at("kept.txt.gz"), { force: true, keep: [] })
        yield* file.write("x".repeat(1 << 20))
        expect(left()).toHaveLength(1)
      }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
    )
    expect(readFileSync(at("kept.txt.gz"), "utf8")).toBe("old")
    expect(left()).toEqual([])
  })

  it("is refused if it must not be replaced", async () => {
    mkdirSync(at("folder"))
    linkSync(at("log.db"), at("hard.db"))
    expect(await refusal(at("folder"), true)).toBe(
      `${at("folder")} could not be written: it is a directory. Name a file in it.`
    )
    await promisify(execFile)("mkfifo", [at("pipe")])
    expect(await refusal(at("pipe"), true)).toContain(
      "it is not a regular file. Remove --output, and redirect stdout to it."
    )
    expect(await refusal(at("hard.db"), true, [at("missing"), at("log.db")])).toContain("it is the log itself.")
    expect(await refusal(at("log.db"))).toContain("there is already a file of that name.")
    expect(left()).toEqual([])
  })

  it("reports what is wrong with its directory", async () => {
    const error = (path: string) =>
      Effect.runPromise(Effect.flip(write(path, ["x"]))).then((error) => [error._tag, error.message])
    expect(await error(at("no/where.txt"))).toEqual([
      "FileError",
      `${at("no/where.txt")} could not be written: there is no such file or directory. Check the path.`
    ])
    expect(await error(at("log.db/x.gz"))).toEqual([
      "FileError",
      `${at("log.db/x.gz")} could not be written: a part of the path is not a directory. Choose another path.`
    ])
  })
})
