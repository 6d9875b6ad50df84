/**
 * What survives when the writer of a log is killed, and when eight write at once.
 *
 * Oracle: the acknowledgements that the writers recorded before, and SQLite's own integrity check through better-sqlite3.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Database from "better-sqlite3"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { node } from "../../cli/children.ts"
import { inFull } from "../../full.ts"
import { bundled } from "./program.ts"

let writer = ""
let directory = ""
beforeAll(async () => {
  writer = await bundled(join(import.meta.dirname, "writer.ts"))
  directory = mkdtempSync(join(tmpdir(), "codex-crash-"))
})
afterAll(() => {
  rmSync(writer, { force: true })
  rmSync(directory, { recursive: true, force: true })
})

const acknowledged = (path: string): ReadonlyArray<number> =>
  existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1).map(Number) : []

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

const open = (path: string) => new Database(path, { readonly: true })

const numbersOf = (database: Database.Database, session: string): ReadonlyArray<number> =>
  database
    .prepare<[string], { n: number }>(
      "SELECT metadata ->> 'n' AS n FROM session_events WHERE session_id = ? AND role = 'tool' ORDER BY rowid"
    )
    .all(session)
    .map(({ n }) => n)

interface Lines {
  readonly numbers: ReadonlyArray<number>
  /** Positions of lines that are not JSON, from the end: 0 is the last. */
  readonly torn: ReadonlyArray<number>
}

const linesOf = (path: string): Lines => {
  const lines = readFileSync(path, "utf8").split("\n")
  if (lines.at(-1) === "") lines.pop()
  const numbers: Array<number> = []
  const torn: Array<number> = []
  for (const [i, line] of lines.entries()) {
    try {
      const { metadata, role } = JSON.parse(line)
      if (role === "tool") numbers.push(metadata.n)
    } catch {
      torn.push(lines.length - 1 - i)
    }
  }
  return { numbers, torn }
}

describe("a writer that is killed", () => {
  const rounds = inFull(10, 1)
  it(`loses no event that was acknowledged, at ${5 * rounds} random moments`, async () => {
    const db = join(directory, "killed.db")
    let total = 0
    for (let round = 0; round < rounds; round++) {
      const sessions = [0, 1, 2, 3, 4].map((i) => `k${round}-${i}`)
      const finished = await Promise.all(
        sessions.map(async (session) => {
          const child = node([
            writer,
            session,
            db,
            join(directory, `${session}.ndjson`),
            "1000000",
            join(directory, `${session}.acks`)
          ])
          await child.said("ready")
          // A moment is random after the first events, however slow the machine: each writer has 25 to lose.
          while (acknowledged(join(directory, `${session}.acks`)).length < 25) await pause(5)
          await pause(Math.random() * 250)
          child.process.kill("SIGKILL")
          return child.finished
        })
      )
      const database = open(db)
      for (const [i, session] of sessions.entries()) {
        const child = finished[i]
        if (child === undefined) throw new Error("as many as were started")
        expect(child.signal, child.stderr).toBe("SIGKILL")
        const said = acknowledged(join(directory, `${session}.acks`))
        total += said.length
        const rows = new Set(numbersOf(database, session))
        const { numbers, torn } = linesOf(join(directory, `${session}.ndjson`))
        const lines = new Set(numbers)
        expect(said.filter((n) => !rows.has(n))).toEqual([])
        expect(said.filter((n) => !lines.has(n))).toEqual([])
        expect(torn.length <= 1 && torn.every((fromEnd) => fromEnd === 0)).toBe(true)
        // Nothing is there twice.
        expect([rows.size, lines.size]).toEqual([numbersOf(database, session).length, numbers.length])
      }
      expect(database.pragma("integrity_check", { simple: true })).toBe("ok")
      database.close()
    }
    expect(total).toBeGreaterThan(100 * rounds)
  })

  it("keeps an incomplete line separate: the next writer begins a new line", async () => {
    const path = join(directory, "torn.ndjson")
    const db = join(directory, "torn.db")
    await node([writer, "torn", db, path, "3"]).finished
    truncateSync(path, statSync(path).size - 20)
    await node([writer, "torn", db, path, "2"]).finished
    const { numbers, torn } = linesOf(path)
    expect(numbers).toEqual([1, 2, 3, 1, 2])
    expect(torn).toEqual([4])
  })
})

describe("eight writers at once", () => {
  const count = inFull(10_000, 2000)
  it(`write ${count} events each, all of them, in order`, async () => {
    const db = join(directory, "eight.db")
    const sessions = Array.from({ length: 8 }, (_, i) => `w${i}`)
    const finished = await Promise.all(sessions.map((session) => node([writer, session, db, "-", `${count}`]).finished))
    expect(finished.map(({ code, stderr }) => [code, stderr])).toEqual(sessions.map(() => [0, ""]))
    const database = open(db)
    const expected = Array.from({ length: count }, (_, i) => i + 1)
    for (const session of sessions) expect(numbersOf(database, session)).toEqual(expected)
    const [{ n }] = database.prepare<[], { n: number }>("SELECT count(*) AS n FROM session_events").all() as [
      { n: number }
    ]
    expect(n).toBe(8 * (count + 2))
    expect(database.pragma("integrity_check", { simple: true })).toBe("ok")
    database.close()
  })
})
