/**
 * Tracker plugin `ndjson`: one JSON object per line, in the run's directory.
 *
 *     {"step":100,"split":"train","loss":3.21,"learning_rate":0.001,…,"time":{"step_millis":58}}
 *
 * Equal runs give equal lines except for `time`. A line is written as soon as it is logged, so a killed run keeps what it
 * logged. A resumed run drops the lines after the step that it resumes from, and an incomplete last line: steps never decrease,
 * so these are the end of the file, which is truncated in one call. Lines before that are never touched.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import * as FileFault from "../../core/data/FileFault.ts"
import * as Json from "../../core/data/Json.ts"
import * as Plugin from "../../core/plugin/Plugin.ts"
import { Tracker, TrackerError } from "../../core/Tracker.ts"

const Line = Json.schema(Schema.Struct({ step: Schema.Number }))

/** The plugin. */
export const Ndjson = Plugin.make(Tracker.kind, "ndjson", {
  description: "metrics as lines of JSON in the run's directory",
  config: Schema.Struct({
    file: Schema.optionalWith(Schema.String.annotations({ description: "file name, inside the run's directory" }), {
      default: () => "metrics.ndjson"
    })
  }),
  make: ({ file }) =>
    Tracker.make({
      name: "ndjson",
      open: ({ directory, fromStep }) =>
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          const path = (yield* Path.Path).join(directory, file)
          const failed = (operation: FileFault.FileOperation) =>
            Effect.mapError(
              (cause: PlatformError) =>
                new TrackerError({
                  tracker: "ndjson",
                  details: FileFault.sentence(path, operation, FileFault.of(cause)),
                  cause
                })
            )
          yield* fs.makeDirectory(directory, { recursive: true }).pipe(failed("write"))
          const out = yield* fs.open(path, { flag: "a" }).pipe(failed("write"))
          const before = yield* fs.readFileString(path).pipe(failed("read"))
          const kept = keptOf(before, fromStep)
          const repair = Effect.gen(function* () {
            if (kept.length < before.length) {
              yield* out.truncate(encode(kept).length)
              yield* out.sync
            }
            // The process died between the last line and its line feed.
            if (kept !== "" && !kept.endsWith("\n")) yield* out.writeAll(encode("\n"))
          })
          yield* repair.pipe(failed("write"))
          return (logged: Tracker.Logged) => out.writeAll(encode(`${render(logged)}\n`)).pipe(failed("write"))
        })
    })
})

/** The text up to the last line of a step that is kept. */
const keptOf = (text: string, step: number): string => {
  let end = 0
  for (const { 0: line, index } of text.matchAll(/.+\n?/g)) if (stepOf(line) <= step) end = index + line.length
  return text.slice(0, end)
}

/** Infinity for a line that is incomplete or not from this tracker. */
const stepOf = (line: string): number =>
  Either.match(Schema.decodeEither(Line)(line), {
    onLeft: () => Number.POSITIVE_INFINITY,
    onRight: ({ step }) => step
  })

/** JSON has no NaN and no infinity, and null would be another value: such a number is left out. */
const render = ({ split, step, time, values }: Tracker.Logged): string =>
  JSON.stringify({ step, split, ...Record.filter(values, Number.isFinite), time: Record.filter(time, Number.isFinite) })

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
