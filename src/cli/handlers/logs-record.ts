/**
 * Writes one event, for those who log from outside of TypeScript. It returns when the event is on the disk.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as LogEnvironment from "../../services/logs/LogEnvironment.ts"
import { type Level, type Role, sessionEnd, sessionStart } from "../../services/logs/SessionEvent.ts"
import { SessionLog } from "../../services/logs/SessionLog.ts"
import { SqlitePool } from "../../services/logs/write/SqlitePool.ts"
import * as Input from "../Input.ts"
import { usageError } from "../UsageError.ts"

export interface Options {
  readonly event: "start" | "message" | "end"
  readonly sessionId: Option.Option<string>
  readonly db: Option.Option<string>
  readonly role: Option.Option<Role>
  readonly level: Option.Option<Level>
  readonly at: Option.Option<number>
  readonly metadata: ReadonlyArray<string>
  readonly stdin: boolean
  readonly message: Option.Option<string>
}

export const run = (options: Options) =>
  Effect.gen(function* () {
    if (Option.isNone(options.sessionId) && Option.isNone(yield* LogEnvironment.inheritedSession)) {
      return yield* usageError("There is no session to write to: name it by --session-id, or set CODEX_SESSION_ID.")
    }
    if (Option.exists(options.at, (at) => !Number.isFinite(at)))
      return yield* usageError("--at must be a finite number.")
    const { message, metadata } = yield* Effect.all({ message: messageOf(options), metadata: metadataOf(options) })
    const session = yield* SessionLog.attach({
      id: Option.getOrUndefined(options.sessionId),
      db: Option.getOrUndefined(options.db)
    })
    const byDefault: Role = options.event === "message" ? "user" : "system"
    yield* session.logAll([
      {
        role: Option.getOrElse(options.role, () => byDefault),
        message,
        metadata,
        level: Option.getOrUndefined(options.level),
        ts: Option.getOrUndefined(options.at)
      }
    ])
  }).pipe(Effect.scoped, Effect.provide(SqlitePool.layer))

const messageOf = ({ event, message, stdin }: Options) =>
  Effect.gen(function* () {
    if (event === "message") {
      if (stdin && Option.isSome(message)) return yield* usageError("Give the message or --stdin, not both.")
      if (!stdin && Option.isNone(message))
        return yield* usageError("There is no message: give it as a word, or --stdin.")
      return yield* Input.read({ text: message, file: Option.none() }, "message")
    }
    if (stdin || Option.isSome(message)) return yield* usageError(`An event of the kind ${event} has no message.`)
    return event === "start" ? sessionStart : sessionEnd
  })

const metadataOf = ({ event, metadata }: Options) =>
  Effect.gen(function* () {
    const found = new Map<string, unknown>(event === "end" ? [["outcome", "success"]] : [])
    for (const word of metadata) {
      const [, key, value] = /^([^=]+)=([\s\S]*)$/.exec(word) ?? []
      if (key === undefined || value === undefined) {
        return yield* usageError(`--metadata ${JSON.stringify(word)} must be key=value.`)
      }
      const parsed = yield* Effect.orElseSucceed(
        Effect.try((): unknown => JSON.parse(value)),
        () => value
      )
      found.set(key, parsed)
    }
    return Object.fromEntries(found)
  })
