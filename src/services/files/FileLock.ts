/**
 * Locks that are files: one process at a time does what a lock stands for, and the lock of a process that ended is taken over.
 *
 *     yield* FileLock.acquire("runs/x/.lock")                          // fails at once while another process has it
 *     yield* FileLock.exclusively("manifest.json.lock", rewrite)       // waits for the others, then runs `rewrite`
 *
 * A lock says which process has it: its id, when it started (systems use ids again) and its host. A process of this host is
 * looked up. One of another host, as on a shared folder or in another container, counts as ended when it has not renewed its lock
 * for two minutes; every holder renews twice a minute.
 */
import { execFile } from "node:child_process"
import { hostname } from "node:os"
import type { PlatformError, SystemErrorReason } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as AtomicFiles from "./AtomicFiles.ts"
import { FileError } from "./FileError.ts"

/** Another process has the lock. */
export class LockHeld extends Schema.TaggedError<LockHeld>()("LockHeld", {
  path: Schema.String,
  /** The process that has it, in words: `process 4711`. */
  holder: Schema.String
}) {
  override get message() {
    return `${this.path}: ${this.holder} has this lock. Wait until it ends, or stop it. If it is not a codex process, remove the file.`
  }
}

type Files = FileSystem.FileSystem | Path.Path

/** Takes a lock, and gives it back when the scope closes. Fails at once while another process has it. */
export const acquire = (path: string): Effect.Effect<void, LockHeld | FileError, Files | Scope.Scope> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const own = render(yield* identity(process.pid))
    const isOwn = Effect.map(fs.readFileString(path), (holder) => holder === own)
    const renew = Effect.gen(function* () {
      const now = (yield* Clock.currentTimeMillis) / 1000
      if (yield* isOwn) yield* fs.utimes(path, now, now)
    })
    yield* Effect.acquireRelease(Effect.mapError(take(path, own), fileErrorOf(path)), () =>
      Effect.ignore(Effect.flatMap(isOwn, (mine) => (mine ? fs.remove(path) : Effect.void)))
    )
    // The scope's end interrupts it, also in a region that nothing else may interrupt.
    yield* Effect.ignore(renew).pipe(Effect.schedule(Schedule.spaced(RENEWAL)), Effect.interruptible, Effect.forkScoped)
  })

/** Runs an Effect while this process alone has the lock. Waits for its turn, at most a minute: such work is short. */
export const exclusively = <A, E, R>(
  path: string,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E | FileError, R | Files> =>
  Effect.scoped(
    Effect.zipRight(
      acquire(path).pipe(
        Effect.retry({
          while: (error) => error._tag === "LockHeld",
          schedule: Schedule.spaced("10 millis").pipe(Schedule.jittered, Schedule.upTo("1 minute"))
        }),
        Effect.catchTag(
          "LockHeld",
          ({ holder }) =>
            new FileError({
              path,
              operation: "write",
              details: `${holder} has had this lock for a minute`,
              remedy: "Stop that process, or remove the file if it is not a codex process."
            })
        )
      ),
      work
    )
  )

const RENEWAL = Duration.seconds(30)
const OTHER_HOST_GONE = Duration.minutes(2)
/** Whoever replaces a lock needs a few milliseconds for it. */
const TAKEOVER_GONE = Duration.seconds(10)

const fileErrorOf = (path: string) => (error: LockHeld | FileError | PlatformError) =>
  error._tag === "LockHeld" ? error : FileError.from(path, "write")(error)

const take = (path: string, own: string): Effect.Effect<void, LockHeld | FileError | PlatformError, Files> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    // A disk that is full creates the file and then refuses its text.
    const create = (file: string, text: string) =>
      fs
        .writeFileString(file, text, { flag: "wx" })
        .pipe(
          Effect.tapError((error) => (isReason("AlreadyExists")(error) ? Effect.void : Effect.ignore(fs.remove(file))))
        )
    const age = (file: string) =>
      Effect.gen(function* () {
        const { mtime } = yield* fs.stat(file)
        return (yield* Clock.currentTimeMillis) - Option.match(mtime, { onNone: () => 0, onSome: Number })
      })
    // An empty lock is being written at this moment, or its writer ended in between.
    const holderOf = fs.readFileString(path).pipe(
      Effect.filterOrElse(
        (text) => text !== "",
        () => Effect.delay(fs.readFileString(path), "200 millis")
      )
    )
    const retry = Effect.suspend(() => attempt)
    // One process at a time may replace a stale lock, with one rename: there is no moment without a lock.
    const gate = `${path}.takeover`
    const takeOver = (text: string) =>
      Effect.acquireUseRelease(
        create(gate, ""),
        () =>
          Effect.gen(function* () {
            if ((yield* fs.readFileString(path)) !== text) return false
            yield* AtomicFiles.writeFile(path, own)
            return true
          }),
        () => Effect.ignore(fs.remove(gate))
      ).pipe(
        Effect.catchIf(isReason("AlreadyExists"), () =>
          Effect.gen(function* () {
            if ((yield* age(gate)) > Duration.toMillis(TAKEOVER_GONE)) yield* fs.remove(gate, { force: true })
            return yield* new LockHeld({ path, holder: "another process" })
          })
        )
      )
    const contend = Effect.gen(function* () {
      const text = yield* holderOf
      const holder = parse(text)
      const alive = text === own || (holder !== undefined && (yield* isAlive(holder, age(path))))
      if (holder !== undefined && alive) {
        return yield* new LockHeld({ path, holder: inWords(holder) })
      }
      if (!(yield* takeOver(text))) yield* retry
    })
    const attempt: Effect.Effect<void, LockHeld | FileError | PlatformError, Files> = create(path, own).pipe(
      Effect.catchIf(isReason("AlreadyExists"), () =>
        // The lock may be released in between.
        Effect.catchIf(contend, isReason("NotFound"), () => retry)
      )
    )
    return yield* attempt
  })

const isReason =
  (reason: SystemErrorReason) =>
  (error: { readonly _tag: string; readonly reason?: string }): boolean =>
    error._tag === "SystemError" && error.reason === reason

/** A process. Locks of versions before 0.2 do not name the host, and have another kind of time. */
interface Identity {
  readonly pid: number
  /** When it started, as far as the system tells; the same text for the same process. */
  readonly started: string | undefined
  readonly host: string | undefined
}

const unknown = "-"

const render = ({ host = unknown, pid, started = unknown }: Identity): string => `${pid} ${started} ${host}`

const parse = (text: string): Identity | undefined => {
  const [pid = "", started, host] = text.trim().split(" ")
  if (!/^[1-9]\d*$/.test(pid)) return undefined
  return { pid: Number(pid), host, started: host === undefined || started === unknown ? undefined : started }
}

const inWords = ({ host, pid }: Identity): string =>
  host === undefined || host === hostname() ? `process ${pid}` : `process ${pid} on ${host}`

/** Whether the process of a lock still runs. `age` is that of the lock, in milliseconds. */
const isAlive = <E, R>(holder: Identity, age: Effect.Effect<number, E, R>) =>
  Effect.gen(function* () {
    if (holder.host !== undefined && holder.host !== hostname()) {
      return (yield* age) < Duration.toMillis(OTHER_HOST_GONE)
    }
    // A lock of this process would have its text.
    if (holder.pid === process.pid || !exists(holder.pid)) return false
    const { started } = yield* identity(holder.pid)
    return holder.started === undefined || started === undefined || started === holder.started
  })

/** Signal 0 tests a process id; "not permitted" means that there is such a process. */
const exists = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** The process of an id on this host. Linux has its start in `/proc`, in ticks since the boot; other Unix systems have `ps`. */
const identity = (pid: number): Effect.Effect<Identity, never, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const fromProc = Effect.gen(function* () {
      const stat = yield* fs.readFileString(`/proc/${pid}/stat`)
      const boot = yield* fs.readFileString("/proc/sys/kernel/random/boot_id")
      // The second field is the program's name in parentheses, which may contain anything. Start is field 22.
      return `${boot.trim()}:${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`
    })
    const fromPs = Effect.async<string, string>((resume) => {
      const env = { ...process.env, LC_ALL: "C", TZ: "UTC" }
      execFile("ps", ["-o", "lstart=", "-p", String(pid)], { env }, (error, stdout) =>
        resume(error === null ? Effect.succeed(stdout.trim().replace(/\s+/g, "_")) : Effect.fail(error.message))
      )
    })
    const started = yield* Effect.option(Effect.orElse(fromProc, () => fromPs))
    return { pid, host: hostname(), started: Option.getOrUndefined(Option.filter(started, (text) => text !== "")) }
  })
