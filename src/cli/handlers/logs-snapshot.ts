/**
 * Copies a log to a file of its own.
 */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as LogEnvironment from "../../services/logs/LogEnvironment.ts"
import * as LogReader from "../../services/logs/LogReader.ts"
import * as LogSnapshot from "../../services/logs/LogSnapshot.ts"
import { bytes } from "../render/Format.ts"
import { usageError } from "../UsageError.ts"

export interface Options {
  readonly db: Option.Option<string>
  readonly out: Option.Option<string>
  readonly force: boolean
}

export const run = (options: Options) =>
  Effect.gen(function* () {
    const named = yield* Option.match(options.db, { onSome: Effect.succeed, onNone: () => LogEnvironment.readPath })
    const { kind, path } = yield* LogReader.find(named)
    if (kind !== "sqlite") {
      return yield* usageError(`${path} is NDJSON: copy the file, or use \`codex logs export --db ${path}\`.`)
    }
    const time = new Date(yield* Clock.currentTimeMillis).toISOString().slice(0, 19).replace(/[-:]/g, "")
    const out = Option.getOrElse(options.out, () => `${path.replace(/\.(db|sqlite)$/i, "")}-${time}Z.db`)
    const { after, before } = yield* LogSnapshot.create({ db: path, out, force: options.force })
    yield* Console.log(`${out}: ${bytes(after)} (the log has ${bytes(before)})`)
  })
