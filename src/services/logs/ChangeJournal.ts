/**
 * What commands did to a project, for people: `.codex/results.md`, a table with a row for each command, and `.codex/errors.ndjson`,
 * one JSON object for each that failed, with its typed error. Both are written when the command's scope closes.
 *
 *     {"ts":1795526300.5,"time":"2026-11-24T13:18:20.500Z","session_id":"…","command":"codex train","arguments":["--run","x"],
 *      "outcome":"failure","error":{"tag":"RunError","message":"…","fields":{"reason":"NotFound",…}}}
 *
 * Any number of processes may write at once: a row and a line are one write to a file opened for appending. When the table has
 * grown beyond some hundred rows it becomes `results.1.md`, in place of the one before, and a new one begins. What cannot be
 * written is a warning: a journal never makes a command fail.
 */
import { randomUUID } from "node:crypto"
import {
  appendFileSync,
  closeSync,
  constants,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync
} from "node:fs"
import { join } from "node:path"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Inspectable from "effect/Inspectable"
import type * as Scope from "effect/Scope"
import { redactRecordWith } from "../../core/data/Redaction.ts"
import { type Outcome, plainMetadata } from "./SessionEvent.ts"
import { exitOutcome } from "./SessionLog.ts"

export interface Options {
  /** Default `.codex`. */
  readonly directory?: string | undefined
  /** `codex train` */
  readonly command: string
  readonly arguments: ReadonlyArray<string>
  readonly session?: string | undefined
  /** Applied to every text that is written. */
  readonly redact?: ((text: string) => string) | undefined
  /** Whether a command that succeeds gets a row. Default true. */
  readonly successes?: boolean | undefined
}

export class ChangeJournal extends Context.Tag("codex/ChangeJournal")<
  ChangeJournal,
  {
    /** What came of the command, in a few words, for its row; the last call counts. */
    readonly result: (text: string) => Effect.Effect<void>
  }
>() {
  /** Notes what came of the command. */
  static result(text: string): Effect.Effect<void, never, ChangeJournal> {
    return Effect.flatMap(ChangeJournal, (journal) => journal.result(text))
  }

  /** Takes everything and writes nothing. */
  static readonly silent: Context.Tag.Service<ChangeJournal> = { result: () => Effect.void }

  /** The journal of one command, which lasts as long as the scope. */
  static open(options: Options): Effect.Effect<Context.Tag.Service<ChangeJournal>, never, Scope.Scope> {
    return open(options)
  }
}

const open = (options: Options) =>
  Effect.gen(function* () {
    const started = yield* Clock.currentTimeMillis
    let result = ""
    yield* Effect.addFinalizer((exit) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const ended = { outcome: exitOutcome(exit), now, seconds: (now - started) / 1000, result }
        yield* Effect.try(() => write(options, exit, ended))
      }).pipe(
        Effect.catchAll(({ error }) =>
          Effect.logWarning(`The journal in ${directoryOf(options)} could not be written: ${messageOf(error)}`)
        )
      )
    )
    return ChangeJournal.of({
      result: (text) =>
        Effect.sync(() => {
          result = text
        })
    })
  })

interface Ended {
  readonly outcome: Outcome
  readonly now: number
  readonly seconds: number
  readonly result: string
}

const directoryOf = ({ directory = ".codex" }: Options): string => directory

const write = (options: Options, exit: Exit.Exit<unknown, unknown>, ended: Ended): void => {
  if (ended.outcome === "success" && options.successes === false) return
  const directory = directoryOf(options)
  mkdirSync(directory, { recursive: true })
  const { redact = (text: string) => text } = options
  const failed = Exit.isFailure(exit) && ended.outcome !== "interrupted"
  const error = failed ? Cause.squash(exit.cause) : undefined
  if (failed) {
    const entry = {
      ts: ended.now / 1000,
      time: new Date(ended.now).toISOString(),
      session_id: options.session ?? null,
      command: options.command,
      arguments: options.arguments.map(redact),
      outcome: ended.outcome,
      error: describe(error, redact)
    }
    appendFileSync(join(directory, "errors.ndjson"), `${JSON.stringify(entry)}\n`)
  }
  const said = failed ? messageOf(error) : ended.result
  append(join(directory, "results.md"), join(directory, "results.1.md"), [
    `${new Date(ended.now).toISOString().slice(0, 19)}Z`,
    redact([options.command, ...options.arguments].join(" ")),
    ended.outcome,
    ended.seconds.toFixed(1),
    redact(said),
    options.session ?? ""
  ])
}

const header = `# Results

What codex commands did here, the newest last. Older rows are in results.1.md, details in \`codex logs view --session-id …\`.

| time (UTC) | command | outcome | seconds | result | session |
|---|---|---|---:|---|---|
`

/** Bytes after which a new table begins. */
const full = 64 * 1024

const append = (file: string, older: string, cells: ReadonlyArray<string>): void => {
  if (isFull(file)) roll(file, older)
  const row = `| ${cells.map(cell).join(" | ")} |\n`
  // Never makes the file: that would be one without a header.
  const add = () => {
    const opened = openSync(file, constants.O_APPEND | constants.O_WRONLY)
    try {
      writeSync(opened, row)
    } finally {
      closeSync(opened)
    }
  }
  if (unless("ENOENT", add)) return
  begin(file)
  add()
}

const isFull = (file: string): boolean => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > full

/** After so many milliseconds its process must have died. */
const stale = 10_000

/** By one process at a time, or a second would put the new table in place of the full one. Who comes in between adds to either. */
const roll = (file: string, older: string): void => {
  const lock = `${file}.rolling`
  if (!unless("EEXIST", () => writeFileSync(lock, "", { flag: "wx" }))) {
    const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()
    if (Date.now() - since > stale) rmSync(lock, { force: true })
    return
  }
  try {
    if (isFull(file)) renameSync(file, older)
  } finally {
    rmSync(lock, { force: true })
  }
}

/** Whether it could be done; false where the file system refused with that code, as it does when another process was first. */
const unless = (code: string, act: () => void): boolean => {
  try {
    act()
    return true
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === code) return false
    throw error
  }
}

/** The file appears with its header or not at all, and only once: another process may begin it in the same instant. */
const begin = (file: string): void => {
  const temporary = `${file}.${randomUUID()}.tmp`
  writeFileSync(temporary, header)
  try {
    unless("EEXIST", () => linkSync(temporary, file))
  } catch {
    // A file system without links.
    unless("EEXIST", () => writeFileSync(file, header, { flag: "wx" }))
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** One line, no column of its own, no markup, not too long. */
const cell = (text: string): string => {
  const plain = text.replace(/[\s\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, " ").trim()
  const short =
    plain.length > 160
      ? `${plain
          .slice(0, 159)
          .toWellFormed()
          .replace(/\ufffd$/, "")}…`
      : plain
  return short.replace(/[\\|`*_<>[\]]/g, "\\$&")
}

const describe = (error: unknown, redact: (text: string) => string) => ({
  tag: typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : null,
  message: redact(messageOf(error)),
  ...fieldsOf(error, redact)
})

/** What a typed error says beside its message. */
const fieldsOf = (error: unknown, redact: (text: string) => string) => {
  if (typeof error !== "object" || error === null || !("_tag" in error)) return {}
  const own = ["_tag", "message", "stack", "cause"]
  const fields = Object.entries(error).filter(
    ([key, value]) => !own.includes(key) && !(key === "name" && value === error._tag)
  )
  return fields.length === 0 ? {} : { fields: redactRecordWith(plainMetadata(Object.fromEntries(fields)), redact) }
}

const messageOf = (error: unknown): string => {
  if (typeof error === "object" && error !== null && "message" in error) return String(error.message)
  return Inspectable.toStringUnknown(error, 0)
}
