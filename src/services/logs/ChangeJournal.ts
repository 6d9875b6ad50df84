/**
 * What commands did in a project: `.codex/results.md`, a table for people with a row for each command, and `.codex/errors.ndjson`,
 * with a JSON object for each command that failed, including its typed error. Both are written when the command's scope closes.
 *
 *     {"ts":1795526300.5,"time":"2026-11-24T13:18:20.500Z","session_id":"…","command":"codex train","arguments":["--run","x"],
 *      "outcome":"failure","error":{"tag":"RunError","message":"…","fields":{"reason":"NotFound",…}}}
 *
 * Any number of processes may write at once: a row or a line is one write to a file opened for appending. A table of more than
 * some hundred rows is renamed to `results.1.md`, replacing the previous one, and a new one begins. A failure to write is a warning:
 * the journal never makes a command fail.
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
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import { redactRecordWith } from "../../core/data/Redaction.ts"
import { FileError } from "../files/FileError.ts"
import { type Outcome, plainMetadata } from "./SessionEvent.ts"
import { exitOutcome } from "./SessionLog.ts"

/** The tag of the journal of one command. */
export class ChangeJournal extends Context.Tag("codex/ChangeJournal")<ChangeJournal, ChangeJournal.Service>() {
  /** Sets the result of the command in its row of the table; the last call counts. */
  static result(text: string): Effect.Effect<void, never, ChangeJournal> {
    return Effect.flatMap(ChangeJournal, (journal) => journal.result(text))
  }

  /** A journal that writes nothing. */
  static readonly silent: ChangeJournal.Service = { result: () => Effect.void }

  /** The journal of a command that runs in this scope. Nothing is written before the scope closes. */
  static open(options: ChangeJournal.Options): Effect.Effect<ChangeJournal.Service, never, Scope.Scope> {
    return open(options)
  }
}

/** The types of the journal. */
export declare namespace ChangeJournal {
  /** The command, and where its entry goes. */
  interface Options {
    /** Default `.codex`. */
    readonly directory?: string | undefined
    /** The command with its groups: `codex train`. */
    readonly command: string
    /** The words after that. */
    readonly arguments: ReadonlyArray<string>
    /** The id of its session. */
    readonly session?: string | undefined
    /** Applied to every text that is written. */
    readonly redact?: ((text: string) => string) | undefined
    /** Whether a command that succeeds gets a row. Default true. */
    readonly successes?: boolean | undefined
  }

  /** An open journal. */
  interface Service {
    /** Sets the result, in a few words; the last call counts. */
    readonly result: (text: string) => Effect.Effect<void>
  }
}

const open = (options: ChangeJournal.Options) =>
  Effect.gen(function* () {
    const started = yield* Clock.currentTimeMillis
    let result = ""
    yield* Effect.addFinalizer((exit) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const ended = { outcome: exitOutcome(exit), now, seconds: (now - started) / 1000, result }
        yield* Effect.try({
          try: () => write(options, exit, ended),
          catch: FileError.from(directoryOf(options), "write")
        })
      }).pipe(Effect.catchAll((error) => Effect.logWarning(`This command is not in the journal. ${error.message}`)))
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

const directoryOf = ({ directory = ".codex" }: ChangeJournal.Options): string => directory

const write = (options: ChangeJournal.Options, exit: Exit.Exit<unknown, unknown>, ended: Ended): void => {
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
  const result = failed ? messageOf(error) : ended.result
  append(join(directory, "results.md"), join(directory, "results.1.md"), [
    `${new Date(ended.now).toISOString().slice(0, 19)}Z`,
    redact([options.command, ...options.arguments].join(" ")),
    ended.outcome,
    ended.seconds.toFixed(1),
    redact(result),
    options.session ?? ""
  ])
}

const header = `# Results

The codex commands that ran here, newest last. Older rows are in results.1.md; \`codex logs view --session-id …\` shows details.

| time (UTC) | command | outcome | seconds | result | session |
|---|---|---|---:|---|---|
`

/** Bytes after which a new table begins. */
const fullBytes = 64 * 1024

const append = (file: string, older: string, cells: ReadonlyArray<string>): void => {
  if (isFull(file)) roll(file, older)
  const row = `| ${cells.map(cell).join(" | ")} |\n`
  // Never creates the file, which would be without a header.
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

const isFull = (file: string): boolean => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > fullBytes

/** A lock that is older belongs to a process that died. */
const staleMillis = 10_000

/** One process at a time, or a second one would replace the full table with the new one. Others meanwhile append to either. */
const roll = (file: string, older: string): void => {
  const lock = `${file}.rolling`
  if (!unless("EEXIST", () => writeFileSync(lock, "", { flag: "wx" }))) {
    const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()
    if (Date.now() - since > staleMillis) rmSync(lock, { force: true })
    return
  }
  try {
    if (isFull(file)) renameSync(file, older)
  } finally {
    rmSync(lock, { force: true })
  }
}

/** False if the file system refused with this code, as it does when another process was faster. */
const unless = (code: string, act: () => void): boolean => {
  try {
    act()
    return true
  } catch (error) {
    if (Predicate.hasProperty(error, "code") && error.code === code) return false
    throw error
  }
}

/** The file appears with its header or not at all, and only once (a rename would replace the file that another process began). */
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

/** The text of a cell: one line, without markup and column separators, not too long. */
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
  tag: Predicate.hasProperty(error, "_tag") ? String(error._tag) : null,
  message: redact(messageOf(error)),
  ...fieldsOf(error, redact),
  ...traceOf(error, redact)
})

/** Errors whose cause may be an exception in the code of a plugin. */
const pluginErrors = ["PluginFault", "PluginInitError", "PluginLoadError"]

/** The stack of an exception: of a defect, or in the code of a plugin. */
const traceOf = (error: unknown, redact: (text: string) => string): { readonly trace?: string } => {
  if (Predicate.hasProperty(error, "_tag"))
    return pluginErrors.includes(String(error._tag)) && Predicate.hasProperty(error, "cause")
      ? traceOf(error.cause, redact)
      : {}
  return error instanceof Error && error.stack !== undefined ? { trace: redact(error.stack) } : {}
}

/** The fields of a typed error, apart from its message. */
const fieldsOf = (error: unknown, redact: (text: string) => string) => {
  if (!Predicate.hasProperty(error, "_tag")) return {}
  const own = ["_tag", "message", "stack", "cause"]
  const fields = Object.entries(error).filter(
    ([key, value]) => !own.includes(key) && !(key === "name" && value === error._tag)
  )
  return fields.length === 0 ? {} : { fields: redactRecordWith(plainMetadata(Object.fromEntries(fields)), redact) }
}

const messageOf = (error: unknown): string => {
  if (Predicate.hasProperty(error, "message")) return String(error.message)
  return Inspectable.toStringUnknown(error, 0)
}
