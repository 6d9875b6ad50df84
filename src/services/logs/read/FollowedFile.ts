/**
 * A path whose file may be renamed, removed or replaced while it is followed, as a rotation does.
 *
 * A writer checks that the file still has its name, then writes: in between the file may be replaced. So a replaced file stays open
 * and is read at each check before the new one, until nothing more can come or the next file is replaced too.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Array from "effect/Array"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { LogEvent } from "../SessionEvent.ts"
import { defaultEvery, type Log, type LogReadError } from "./Log.ts"

/** Events of a log, or why it cannot be read. */
export type EventStream = Stream.Stream<LogEvent, LogReadError>

/** The growing end of an open file. */
export interface Tail {
  /** The last events at the start; none if all events are new. */
  readonly first: EventStream
  /** The events since the previous check. */
  readonly check: Effect.Effect<EventStream, LogReadError>
  /** Asked of a file that was replaced: whether the next check returns the last of its events. */
  readonly ending: Effect.Effect<boolean>
}

/** A path to follow. */
export interface FollowedFile {
  readonly fs: FileSystem.FileSystem
  readonly path: string
  /** Opens the file that the path names now. `whole`: all existing events are new. */
  readonly open: (whole: boolean) => Effect.Effect<Tail, LogReadError, Scope.Scope>
  /** Whether a failure to open the file that replaces another may pass: then the next check tries again. */
  readonly passes: (error: LogReadError) => boolean
}

/** An open file, and how to recognize and close it. */
interface Source {
  readonly tail: Tail
  readonly identity: string | undefined
  readonly close: Effect.Effect<void>
  readonly ending: boolean
}

/** The last events of the file, then new ones, also of the files that replace it. */
export const follow = (
  { fs, path, open, passes }: FollowedFile,
  { every = defaultEvery, once = false }: NonNullable<Parameters<Log["follow"]>[1]> = {}
): EventStream =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const outer = yield* Effect.scope
      const identity = identityOf(fs, path)
      /** Each file has its own scope, so that it can be closed before the others. */
      const openNow = (whole: boolean): Effect.Effect<Source, LogReadError> =>
        Effect.gen(function* () {
          const before = yield* identity
          const scope = yield* Scope.fork(outer, ExecutionStrategy.sequential)
          const tail = yield* open(whole).pipe(
            Scope.extend(scope),
            Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
          )
          const close = Scope.close(scope, Exit.void)
          // Replaced between the two: it is not known which of them was opened.
          if ((yield* identity) === before) return { tail, identity: before, close, ending: false }
          return yield* Effect.zipRight(close, openNow(whole))
        })
      let current = yield* openNow(false)
      let replaced: ReadonlyArray<Source> = []
      const { first } = current.tail
      /** Closes the replaced files that were read to their end, and those of earlier replacements after one more check. */
      const closeEnded = Effect.gen(function* () {
        const [open, ended] = Array.partition(replaced, ({ ending }) => ending)
        yield* Effect.forEach(ended, ({ close }) => close)
        replaced = yield* Effect.forEach(open, (source, i) =>
          Effect.map(source.tail.ending, (ending) => ({ ...source, ending: ending || i < open.length - 1 }))
        )
      })
      const check = Effect.gen(function* () {
        yield* Effect.sleep(every)
        const now = yield* identity
        if (now !== undefined && [...replaced, current].every((source) => source.identity !== now)) {
          const next = yield* Effect.asSome(openNow(true)).pipe(
            Effect.catchIf(passes, () => Effect.succeed(Option.none<Source>()))
          )
          if (Option.isSome(next)) {
            replaced = [...replaced, current]
            current = next.value
          }
        }
        yield* closeEnded
        return Stream.flatMap(Stream.fromIterable([...replaced, current]), ({ tail }) => Stream.unwrap(tail.check))
      })
      return once ? first : Stream.concat(first, Stream.flatten(Stream.repeatEffect(check)))
    })
  )

/** Device and inode of the file that a path names now; undefined if there is none. */
const identityOf = (fs: FileSystem.FileSystem, path: string): Effect.Effect<string | undefined> =>
  fs.stat(path).pipe(
    Effect.map(({ dev, ino }) => `${dev}:${Option.getOrElse(ino, () => 0)}`),
    Effect.orElseSucceed(() => undefined)
  )
