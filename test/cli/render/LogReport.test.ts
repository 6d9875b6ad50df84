/**
 * Sessions and statistics of a log as tables and as data. Oracle: texts written by hand.
 */
import { describe, expect, it } from "vitest"
import { sessionsText, statsText } from "../../../src/cli/render/LogReport.ts"

describe("sessions and statistics", () => {
  const sessions = [
    { session_id: "s1\u001b[2J", first: 1795525714.123, last: 1795525744.123, events: 12, outcome: "success" },
    { session_id: null, first: null, last: null, events: 3, outcome: null }
  ]
  const stats = {
    events: 15,
    sessions: 2,
    first: 0,
    last: 1e300,
    roles: [
      ["user", 14],
      [null, 1]
    ],
    levels: [["INFO", 15]],
    days: [["2026-11-24", 15]]
  } as const
  const log = { path: "a.db", shape: "logs(ts, message)" }

  it("are tables", () => {
    expect(sessionsText(sessions, "text")).toBe(
      `session  first                     last                      duration  events  outcome
s1␛[2J   2026-11-24T13:08:34.123Z  2026-11-24T13:09:04.123Z  30.0 s        12  success
–        –                         –                         –              3  –
`
    )
    expect(statsText(stats, log, "text")).toBe(
      `log       a.db, logs(ts, message)
events    15
sessions  2
first     1970-01-01T00:00:00.000Z
last      –

role  events
user      14
–          1

level  events
INFO       15

day         events
2026-11-24      15
`
    )
    expect([sessionsText([], "text"), statsText({ ...stats, events: 0 }, log, "text")]).toEqual(["", ""])
  })

  it("have durations in days and hours", () => {
    const long = { session_id: "s", first: 0, last: (27 * 24 + 22) * 3600 + 50 * 60, events: 1, outcome: null }
    expect(sessionsText([long], "text").split("\n")[1]).toBe(
      "s        1970-01-01T00:00:00.000Z  1970-01-28T22:50:00.000Z  27 days 22 h       1  –"
    )
  })

  it("are data", () => {
    const [first, second] = [
      {
        ...sessions[0],
        first_time: "2026-11-24T13:08:34.123Z",
        last_time: "2026-11-24T13:09:04.123Z"
      },
      { ...sessions[1], first_time: null, last_time: null }
    ]
    expect(JSON.parse(sessionsText(sessions, "json"))).toEqual([first, second])
    expect(
      sessionsText(sessions, "ndjson")
        .trim()
        .split("\n")
        .map((row) => JSON.parse(row))
    ).toEqual([first, second])
    expect(sessionsText(sessions, "csv").split("\r\n").slice(0, 3)).toEqual([
      "session_id,first,last,first_time,last_time,events,outcome",
      "s1\u001b[2J,1795525714.123,1795525744.123,2026-11-24T13:08:34.123Z,2026-11-24T13:09:04.123Z,12,success",
      ",,,,,3,"
    ])
    expect([sessionsText([], "json"), sessionsText([], "ndjson")]).toEqual(["[]\n", ""])
    expect(JSON.parse(statsText(stats, log, "json"))).toEqual({
      path: "a.db",
      shape: "logs(ts, message)",
      events: 15,
      sessions: 2,
      first: 0,
      last: 1e300,
      first_time: "1970-01-01T00:00:00.000Z",
      last_time: null,
      roles: [
        { role: "user", events: 14 },
        { role: null, events: 1 }
      ],
      levels: [{ level: "INFO", events: 15 }],
      days: [{ day: "2026-11-24", events: 15 }]
    })
    expect(statsText(stats, log, "ndjson")).toBe(statsText(stats, log, "json"))
    expect(statsText(stats, log, "csv")).toBe(
      [
        "kind,value,count",
        "events,,15",
        "sessions,,2",
        "first,1970-01-01T00:00:00.000Z,",
        "last,,",
        "role,user,14",
        "role,,1",
        "level,INFO,15",
        "day,2026-11-24,15",
        ""
      ].join("\r\n")
    )
  })
})
