/**
 * Events as text, JSON, NDJSON and CSV, in this process. Oracles: lines written by hand, JSON.parse, a reader of RFC 4180 that
 * is written below from the RFC's grammar, and for colours the same text without them.
 */
import { stripVTControlCharacters } from "node:util"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { blocks, csv, csvLine, json, lines, ndjson, type Printer, print } from "../../../src/cli/render/EventPrinter.ts"
import type { LogEvent } from "../../../src/services/logs/SessionEvent.ts"

const plain = { colour: false }
const coloured = { colour: true }

const event = (given: Partial<LogEvent> = {}): LogEvent => ({
  ts: 1795525714.123,
  time: "2026-11-24T13:08:34.123Z",
  session_id: "s1",
  role: "user",
  level: "INFO",
  message: "Hello!",
  metadata: null,
  ...given
})
const empty = event({ ts: null, time: null, session_id: null, role: null, level: null, message: "" })

const printed = (printer: Printer, events: ReadonlyArray<LogEvent>): string =>
  printer.begin + events.map(printer.event).join("") + printer.end(events.length)

/** Any UTF-16 text, including lone surrogates, with what matters to a format more often. */
const anyText = FastCheck.array(
  FastCheck.oneof(
    FastCheck.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
    FastCheck.constantFrom(
      "\n",
      "\r\n",
      "\r",
      '"',
      ",",
      "\u001b[31m",
      "\u009b",
      "\u202e",
      "\u0000",
      "a",
      " ",
      "\u{1F469}"
    )
  )
).map((parts) => parts.join(""))

const anyEvent: FastCheck.Arbitrary<LogEvent> = FastCheck.record({
  ts: FastCheck.option(FastCheck.double({ noNaN: true, noDefaultInfinity: true, min: -1e10, max: 1e10 })).map((ts) =>
    // JSON has no -0.
    ts === 0 ? 0 : ts
  ),
  time: FastCheck.option(FastCheck.oneof(FastCheck.constant("2026-11-24T13:08:34.123Z"), anyText)),
  session_id: FastCheck.option(anyText),
  role: FastCheck.option(anyText),
  level: FastCheck.option(FastCheck.oneof(FastCheck.constantFrom("INFO", "ERROR", "FATAL"), anyText)),
  message: anyText,
  metadata: FastCheck.jsonValue().map((value) => JSON.parse(JSON.stringify(value)))
})
const anyEvents = FastCheck.array(anyEvent, { maxLength: 5 })

describe("lines", () => {
  it("have time, level, role, session and message in columns", () => {
    expect(
      printed(lines(plain), [
        event({ message: "Hello!\nHow are\tyou?\r\n" }),
        event({ level: "ERROR", role: "assistant", session_id: "a b" }),
        event({ level: "FATAL", role: "a-longer-role" }),
        event({ time: "next week", ts: null }),
        empty
      ])
    ).toBe(
      "2026-11-24T13:08:34.123Z INFO  user      s1  Hello!↵How are⇥you?␍↵\n" +
        "2026-11-24T13:08:34.123Z ERROR assistant a b  Hello!\n" +
        "2026-11-24T13:08:34.123Z FATAL a-longer-role s1  Hello!\n" +
        "next week                INFO  user      s1  Hello!\n" +
        "–                        –     –         –  \n"
    )
  })

  it("are one per event for any log, without control characters", () => {
    FastCheck.assert(
      FastCheck.property(anyEvents, (events) => {
        const text = printed(lines(plain), events)
        expect(text.split("\n")).toHaveLength(events.length + 1)
        expect(text).not.toMatch(/[^\P{C}\n\u200d]|[\u2028\u2029]/u)
      })
    )
  })

  it("color levels, and dim time and session", () => {
    const escape = "\u001b["
    expect(printed(lines(coloured), [event(), event({ level: "ERROR" }), event({ level: "FATAL" })])).toBe(
      ["32mINFO ", "31mERROR", "1m\u001b[31mFATAL"]
        .map(
          (level) =>
            `${escape}2m2026-11-24T13:08:34.123Z${escape}22m ${escape}${level}${escape}39m` +
            `${level.startsWith("1m") ? `${escape}22m` : ""} user      ${escape}2ms1${escape}22m  Hello!\n`
        )
        .join("")
    )
    for (const [level, code] of [
      ["TRACE", 2],
      ["DEBUG", 36],
      ["WARN", 33]
    ] as const)
      expect(lines(coloured).event(event({ level }))).toContain(`${escape}${code}m${level}`)
    expect(lines(coloured).event(event({ level: "NOVEL" }))).toContain(" NOVEL user")
  })
})

describe("blocks", () => {
  it("have a heading for each session and day, and whole messages", () => {
    expect(
      printed(blocks(plain), [
        event({ message: "Hello!\nHow are you?", metadata: { lang: "en", "a b": "two words", deep: { x: [1] } } }),
        event({ role: "assistant", message: "Well.", metadata: [1, 2] }),
        event({ session_id: "s2", metadata: "odd" }),
        event({ session_id: "s2", time: "2026-11-25T00:00:00.000Z", metadata: {} }),
        empty
      ])
    ).toBe(
      `── s1 ── 2026-11-24 ──
13:08:34.123Z INFO  user      Hello!
                              How are you?  lang=en a b="two words" deep={"x":[1]}
13:08:34.123Z INFO  assistant Well.  [1,2]

── s2 ── 2026-11-24 ──
13:08:34.123Z INFO  user      Hello!  odd

── s2 ── 2026-11-25 ──
00:00:00.000Z INFO  user      Hello!

── no session ──
–             –     –         ${""}
`
    )
  })

  it("show long messages like short ones", () => {
    for (const cut of ["\u{1F469}", "\r\n", "\n", "\r\r\r\n", "\ud83d\ud83d\udc69"])
      for (const before of [65_534, 65_535, 65_536]) {
        const message = `${"x".repeat(before)}${cut}${"y".repeat(70_000)}`
        const short = (printer: Printer) =>
          printer
            .event(event({ message: `x${cut}y` }))
            .replace("x", "x".repeat(before))
            .replace(/y\n/, `${"y".repeat(70_000)}\n`)
        expect(blocks(plain).event(event({ message })) === short(blocks(plain))).toBe(true)
        expect(lines(plain).event(event({ message })) === short(lines(plain))).toBe(true)
      }
  })

  it("shorten long metadata", () => {
    const [line = ""] = blocks(plain)
      .event(event({ metadata: { text: "é".repeat(200) } }))
      .split("\n")
      .slice(1)
    expect(line.endsWith(`Hello!  text="${"é".repeat(93)}…`)).toBe(true)
  })

  it("have no control characters, and the same text with colors", () => {
    FastCheck.assert(
      FastCheck.property(anyEvents, (events) => {
        const text = printed(blocks(plain), events)
        expect(text).not.toMatch(/[^\P{C}\n\u200d]|[\u2028\u2029]/u)
        expect(stripVTControlCharacters(printed(blocks(coloured), events))).toBe(text)
        expect(stripVTControlCharacters(printed(lines(coloured), events))).toBe(printed(lines(plain), events))
      })
    )
  })
})

describe("JSON", () => {
  const keys = ["ts", "time", "session_id", "role", "level", "message", "metadata"]

  it("parses back to every event", () => {
    FastCheck.assert(
      FastCheck.property(anyEvents, (events) => {
        expect(JSON.parse(printed(json(), events))).toEqual(events)
        const rows = printed(ndjson(), events).split("\n")
        expect(rows.pop()).toBe("")
        expect(rows.map((row) => JSON.parse(row))).toEqual(events)
        for (const row of rows) expect(Object.keys(JSON.parse(row))).toEqual(keys)
      })
    )
  })

  it("has an empty array for no events, and a line for each", () => {
    expect(printed(json(), [])).toBe("[]\n")
    expect(printed(ndjson(), [])).toBe("")
    expect(printed(json(), [event(), event()]).split("\n")).toHaveLength(5)
    expect(printed(ndjson(), [event({ metadata: undefined, message: "\ud800" })])).toContain(
      '"message":"\\ud800","metadata":null}\n'
    )
  })
})

describe("CSV", () => {
  /** file = record *(CRLF record) [CRLF]; field = DQUOTE *(TEXTDATA / COMMA / CR / LF / 2DQUOTE) DQUOTE / *TEXTDATA */
  const read = (text: string): ReadonlyArray<ReadonlyArray<string | null>> => {
    const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y
    const records: Array<ReadonlyArray<string | null>> = []
    let record: Array<string | null> = []
    while (field.lastIndex < text.length) {
      const found = field.exec(text)
      if (found === null) throw new Error(`no field at the end of ${JSON.stringify(text)}`)
      record.push(found[1]?.replaceAll('""', '"') ?? (found[2] === "" ? null : (found[2] ?? null)))
      if (found[3] === "\r\n") {
        records.push(record)
        record = []
      }
    }
    expect(record).toEqual([])
    return records
  }

  it("parses back to every event, as RFC 4180 reads it; null is empty, an empty text is quoted", () => {
    FastCheck.assert(
      FastCheck.property(anyEvents, (events) => {
        expect(read(printed(csv(), events))).toEqual([
          ["ts", "time", "session_id", "role", "level", "message", "metadata"],
          ...events.map(({ ts, time, session_id, role, level, message, metadata }) => [
            ts === null ? null : String(ts),
            ...[time, session_id, role, level, message],
            metadata === null ? null : JSON.stringify(metadata)
          ])
        ])
      })
    )
  })

  it("matches lines written by hand", () => {
    expect(csvLine(['say "hi"', "a,b", "x\ny", "", null, 1.5])).toBe('"say ""hi""","a,b","x\ny","",,1.5\r\n')
  })
})

describe("output", () => {
  const written = (events: Stream.Stream<LogEvent>, options?: { readonly eager: boolean }) => {
    const texts: Array<string> = []
    const counts: Array<number> = []
    return Effect.runPromise(
      Effect.map(
        print(
          events,
          json(),
          (text, count) =>
            Effect.sync(() => {
              texts.push(text)
              counts.push(count)
            }),
          options
        ),
        (count) => ({ texts, counts, count })
      )
    )
  }
  const many = Array.from({ length: 3000 }, (_, i) => event({ message: `${i} ${"x".repeat(100)}` }))

  it("comes in blocks, complete and in order", async () => {
    const { texts, count, counts } = await written(Stream.fromIterable(many).pipe(Stream.rechunk(7)))
    expect(count).toBe(3000)
    expect(counts.at(-1)).toBe(3000)
    expect(JSON.parse(texts.join(""))).toEqual(many)
    expect(texts.length).toBeGreaterThan(5)
    for (const text of texts.slice(0, -1)) expect(text.length).toBeLessThan(70_000)
  })

  it("comes at once if it is eager", async () => {
    const chunks = Stream.fromChunks(Chunk.of(event()), Chunk.of(event()))
    expect((await written(chunks, { eager: true })).counts).toEqual([1, 2, 2])
    expect((await written(chunks)).counts).toEqual([2])
    expect(await written(Stream.empty)).toEqual({ texts: ["[]\n"], counts: [0], count: 0 })
  })

  it("waits for what it has written", async () => {
    let [open, most] = [0, 0]
    await Effect.runPromise(
      print(Stream.fromIterable(many), ndjson(), () =>
        Effect.gen(function* () {
          open += 1
          most = Math.max(most, open)
          yield* Effect.sleep(1)
          open -= 1
        })
      )
    )
    expect(most).toBe(1)
  })
})
