/**
 * codex logs rotate [--max-age 30d] [--max-size 100MB] [--archive .codex/archive] [--dry-run]
 *
 *     $ codex logs rotate --max-age 30d
 *     .codex/session_logs.db  81204 events  .codex/archive/session_events-20261001T080000-20261025T120301.ndjson.gz
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { lazyUnrecorded } from "../Lazy.ts"
import { text, time } from "../LogOptions.ts"
import { json } from "../Options.ts"
import { usageError } from "../UsageError.ts"

const db = text("db", "The log that codex writes. Default: CODEX_LOG_DB_PATH, else .codex/session_logs.db", "file")
const sessions = text(
  "sessions",
  "The folder of NDJSON files. Default: CODEX_SESSION_LOG_DIR, else .codex/sessions; none where --db is given",
  "folder"
)
const archive = text("archive", "Where the gzipped NDJSON goes. Default: a folder `archive` beside the log", "folder")
const maxAge = time("max-age").pipe(
  Options.withDescription("What is older goes: 30d, 12h, 2w, or a date. Default: 30d, unless --max-size is given"),
  Options.withPseudoName("span"),
  Options.mapEffect(({ given, seconds }) =>
    Effect.flatMap(Clock.currentTimeMillis, (millis) => {
      const age = millis / 1000 - seconds
      return age >= 0 ? Effect.succeed(age) : usageError(`Option "--max-age": ${given} is in the future.`)
    })
  ),
  Options.optional
)

const units: Record<string, number> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30
}

const maxSize = Options.text("max-size").pipe(
  Options.withDescription("The oldest events go until no more is left than this: 100MB, 1GiB, or bytes"),
  Options.withPseudoName("size"),
  Options.filterMap((text) => {
    const [, number, unit = ""] = /^(\d+(?:\.\d+)?) ?([kmg]?i?b)?$/i.exec(text.trim()) ?? []
    const factor = units[unit.toLowerCase()]
    return number === undefined || factor === undefined
      ? Option.none()
      : Option.some(Math.floor(Number(number) * factor))
  }, 'Option "--max-size" must be a size: 100MB, 1GiB, or a number of bytes.'),
  Options.optional
)
const dryRun = Options.boolean("dry-run").pipe(Options.withDescription("Only say what would go."))

export const rotate = Command.make(
  "rotate",
  { db, sessions, archive, maxAge, maxSize, dryRun, json },
  lazyUnrecorded(() => import("../handlers/logs-rotate.ts"))
).pipe(
  Command.withDescription(
    "Move old events and old NDJSON files to gzipped archives, which the other commands read with --db. " +
      "Example: codex logs rotate --max-age 30d --max-size 100MB"
  )
)
