/**
 * Writes events as they come: in blocks, each only when the one before is taken, so that memory does not grow with them.
 */
import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { LogEvent } from "../../services/logs/SessionEvent.ts"
import type { Printer } from "./LogFormat.ts"

/** Takes a text; `events` have been printed with it. */
export type Write<E> = (text: string, events: number) => Effect.Effect<void, E>

/** UTF-16 units that are written at once; a longer message makes a longer block. */
const BLOCK = 1 << 16

/** Returns how many events there were. `eager`: what has come is written, also when more is awaited. */
export const print = <E, R, E2>(
  events: Stream.Stream<LogEvent, E, R>,
  printer: Printer,
  write: Write<E2>,
  { eager = false }: { readonly eager?: boolean } = {}
): Effect.Effect<number, E | E2, R> =>
  Effect.suspend(() => {
    let [pending, count] = [printer.begin, 0]
    const flush = Effect.suspend(() => {
      const text = pending
      pending = ""
      return text === "" ? Effect.void : write(text, count)
    })
    const take = (chunk: Chunk.Chunk<LogEvent>) =>
      Effect.gen(function* () {
        for (const event of chunk) {
          pending += printer.event(event)
          count += 1
          if (pending.length >= BLOCK) yield* flush
        }
        if (eager) yield* flush
      })
    return (eager ? flush : Effect.void).pipe(
      Effect.zipRight(Stream.runForEachChunk(events, take)),
      Effect.zipRight(
        Effect.suspend(() => {
          pending += printer.end(count)
          return flush
        })
      ),
      Effect.map(() => count)
    )
  })

/**
 * A reader that goes away is noticed by Process.ts, which ends the command. Writing to a file or a pipe may be done at once,
 * without a turn of the event loop, in which a Ctrl-C would be heard.
 */
export const toStdout: Write<never> = (text) =>
  Effect.async((resume) => {
    process.stdout.write(text, () => setImmediate(() => resume(Effect.void)))
  })
