/**
 * Writes events to stdout or to a file, however many.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Log } from "../../services/logs/LogReader.ts"
import * as OutputFile from "../OutputFile.ts"
import * as LogOutput from "../render/LogOutput.ts"
import { lines } from "../render/LogText.ts"
import * as ProgressLine from "../render/ProgressLine.ts"
import * as Logs from "./logs-open.ts"
import { printerOf, type Options as Shown } from "./logs-show.ts"

export type Options = Shown & { readonly output: Option.Option<string>; readonly force: boolean }

export const run = (options: Options) =>
  Logs.using(options, (log) =>
    Effect.gen(function* () {
      const events = Option.isSome(options.output)
        ? yield* toFile(log, options.output.value, options)
        : yield* LogOutput.print(eventsOf(log, options), printer(options), LogOutput.toStdout)
      yield* Logs.noteEmpty(events)
    })
  )

const toFile = (log: Log, path: string, options: Options) =>
  Effect.gen(function* () {
    const file = yield* OutputFile.create(path, {
      force: options.force,
      // Events that are not in the database yet are in the files beside it.
      keep: ["", "-wal", "-shm", "-journal"].map((ending) => log.path + ending)
    })
    const progress = yield* ProgressLine.make(process.stderr)
    const events = yield* LogOutput.print(eventsOf(log, options), printer(options), (text, events) =>
      Effect.zipRight(file.write(text), progress.update(told(events, path)))
    )
    yield* file.finish
    yield* progress.update(told(events, path))
    return events
  }).pipe(Effect.scoped)

const eventsOf = (log: Log, options: Options) => log.events(Logs.queryOf(options))

const printer = (options: Options) => printerOf(options.format, () => lines({ colour: false }))

const told = (events: number, path: string) => `${events} ${events === 1 ? "event" : "events"} in ${path}`
