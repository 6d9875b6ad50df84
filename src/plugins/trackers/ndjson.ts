/**
 * Tracker plugin `ndjson`: one JSON object a line in the run's directory.
 *
 *     {"step":100,"split":"train","loss":3.21,"learning_rate":0.001,…,"time":{"step_millis":58}}
 *
 * Two equal runs give equal lines but for `time`. A line is written as soon as it is logged, so a killed run keeps what it
 * logged; a run that goes on drops the lines past the step it goes on from, and a torn last line.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Plugin from "../../core/plugin/Plugin.ts"
import { type Logged, TrackerError, TrackerKind } from "../../core/Tracker.ts"

const Line = Schema.parseJson(Schema.Struct({ step: Schema.Number }))

export const Ndjson = Plugin.make(TrackerKind, "ndjson", {
  description: "metrics as lines of JSON in the run's directory",
  config: Schema.Struct({
    file: Schema.optionalWith(Schema.String.annotations({ description: "file name, inside the run's directory" }), {
      default: () => "metrics.ndjson"
    })
  }),
  make: ({ file }) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const paths = yield* Path.Path
      const failed = <A, R>(effect: Effect.Effect<A, { readonly message: string }, R>) =>
        Effect.mapError(effect, (cause) => new TrackerError({ tracker: "ndjson", details: cause.message, cause }))
      return {
        open: ({ directory, fromStep }) =>
          Effect.gen(function* () {
            const path = paths.join(directory, file)
            yield* fs.makeDirectory(directory, { recursive: true })
            if (fromStep === 0) yield* fs.writeFileString(path, "")
            else if (yield* fs.exists(path)) {
              const lines = (yield* fs.readFileString(path)).split("\n")
              const kept = lines.filter((line) => stepOf(line) <= fromStep)
              // Renamed into place: a crash in between leaves the lines as they were.
              yield* fs.writeFileString(`${path}.tmp`, kept.map((line) => `${line}\n`).join(""))
              yield* fs.rename(`${path}.tmp`, path)
            }
            const out = yield* fs.open(path, { flag: "a" })
            return { log: (logged: Logged) => failed(out.writeAll(new TextEncoder().encode(`${render(logged)}\n`))) }
          }).pipe(failed)
      }
    })
})

/** Infinity for a line that is torn or foreign: it is dropped. */
const stepOf = (line: string): number =>
  Either.match(Schema.decodeEither(Line)(line), {
    onLeft: () => Number.POSITIVE_INFINITY,
    onRight: ({ step }) => step
  })

const render = ({ split, step, time, values }: Logged): string => JSON.stringify({ step, split, ...values, time })
