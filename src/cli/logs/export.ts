/**
 * codex logs export [--format csv] [--output events.csv.gz] …
 *
 *     $ codex logs export --output events.ndjson.gz
 *     2481 events in events.ndjson.gz
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type { LogEvent } from "../../services/logs/SessionEvent.ts"
import { load, outsideSession } from "../Handler.ts"
import { filter, format, page, source } from "../LogOptions.ts"
import { force } from "../Options.ts"
import { eventPrinter, noteEmpty, printerOf, queryOf, withLog } from "../ReadLog.ts"
import type { Printer } from "../render/EventPrinter.ts"
import { plural } from "../render/Format.ts"
import * as ProgressLine from "../render/ProgressLine.ts"

const output = Options.file("output").pipe(
  Options.withAlias("o"),
  Options.withDescription("The file to write; it is compressed if its name ends in .gz. Default: stdout"),
  Options.optional
)

export const exportCommand = Command.make(
  "export",
  {
    ...source,
    ...filter,
    ...page,
    format: format("ndjson", "one line per event, line feeds as ↵."),
    output,
    force: force("Replace an existing file.")
  },
  outsideSession(({ force, output, ...options }) =>
    withLog(options, (log) =>
      Effect.gen(function* () {
        const { print, toStdout } = yield* eventPrinter
        const printer = yield* printerOf(options.format, "lines", { colour: false })
        const events = log.events(queryOf(options))
        const count = Option.isNone(output)
          ? yield* print(events, printer, toStdout)
          : // With the files next to a database, which have its newest events.
            yield* toFile(output.value, events, printer, {
              force,
              keep: ["", "-wal", "-shm", "-journal"].map((suffix) => log.path + suffix)
            })
        yield* noteEmpty(count)
      })
    )
  )
).pipe(
  Command.withDescription(
    "Write all events, or those that match, to stdout or a file. " +
      "Example: codex logs export --format csv --output events.csv.gz"
  )
)

const toFile = <E, R>(
  path: string,
  events: Stream.Stream<LogEvent, E, R>,
  printer: Printer,
  options: { readonly force: boolean; readonly keep: ReadonlyArray<string> }
) =>
  Effect.gen(function* () {
    const OutputFile = yield* load(() => import("../OutputFile.ts"))
    const { print } = yield* eventPrinter
    const file = yield* OutputFile.create(path, options)
    const progress = yield* ProgressLine.make(process.stderr)
    const show = (count: number) => progress.update(`${plural(count, "event")} in ${path}`)
    const count = yield* print(events, printer, (text, count) => Effect.zipRight(file.write(text), show(count)))
    yield* file.finish
    yield* show(count)
    return count
  }).pipe(Effect.scoped)
