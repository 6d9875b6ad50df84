/**
 * The tracker kind: receives the numbers of a run while it runs.
 *
 *     const console = yield* Tracker.make({
 *       name: "console",
 *       open: ({ id }) => Effect.succeed(({ step, values }) => Console.log(id, step, values))
 *     })
 *
 * Laws (src/testing/tracker.ts): 1. what the tracker keeps of the lines that were logged before the scope closed can be read back
 * afterwards, also when the run failed; 2. lines keep their order; 3. opening a run again after step n (a resumed run) drops what
 * was kept of steps > n before, and nothing else. A tracker may keep a part: only the loss, or every tenth line.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as FileFault from "./data/FileFault.ts"
import * as Plugin from "./plugin/Plugin.ts"

/** Numbers that a tracker could not take. */
export class TrackerError extends Schema.TaggedError<TrackerError>()("TrackerError", {
  tracker: Schema.String,
  details: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  override get message() {
    return `Tracker ${this.tracker}: ${this.details}`
  }
}

/** The tracker of a run. */
export class Tracker extends Context.Tag("codex/Tracker")<Tracker, Tracker.Service>() {
  /** A tracker that cannot open or log. */
  static readonly Error = TrackerError

  /** The kind of tracker plugins. */
  static readonly kind: Plugin.Kind<"tracker", Tracker, Tracker.Service> = Plugin.kind("tracker", {
    api: 1,
    tag: Tracker,
    contract: { open: { gives: { log: Schema.Any } } }
  })

  /**
   * A tracker from its `open` function. Numbers that are logged at the same time are passed on one after the other, and
   * every failure becomes a TrackerError with the tracker's name. The services that `open` needs are taken from here.
   */
  static make<E extends { readonly message: string }, R>(
    primitives: Tracker.Primitives<E, R>
  ): Effect.Effect<Tracker.Service, never, R> {
    return Effect.map(Effect.context<R>(), (context) => serviceOf(primitives, context))
  }

  /** Combines trackers: each of them gets everything, in order. */
  static all(trackers: ReadonlyArray<Tracker.Service>): Tracker.Service {
    const open = (run: Tracker.Run) =>
      Effect.map(
        Effect.forEach(trackers, (tracker) => tracker.open(run)),
        (sessions) => (logged: Tracker.Logged) =>
          Effect.forEach(sessions, (session) => session.log(logged), { discard: true })
      )
    return serviceOf({ name: "all", open }, Context.empty())
  }
}

export declare namespace Tracker {
  type Error = TrackerError
  /** The run that is tracked. */
  interface Run {
    readonly id: string
    /** The run's own directory, which exists. Trackers that write files do so inside it. */
    readonly directory: string
    /** The composed config, as JSON. */
    readonly config: unknown
    /** The step after which the run starts: 0 for a new run. */
    readonly fromStep: number
  }
  /** The numbers of one update or one evaluation. */
  interface Logged {
    /** Never smaller than that of the numbers before. */
    readonly step: number
    /** `train`, `validation`, … */
    readonly split: string
    readonly values: { readonly [metric: string]: number }
    /** Milliseconds since the epoch and durations: separate, because equal runs differ only in these. */
    readonly time: { readonly [name: string]: number }
  }
  interface Primitives<E, R> {
    /** For messages. */
    readonly name: string
    /**
     * Acquires what is needed to track a run, drops what was logged for steps after `fromStep`, and returns a function
     * that takes the numbers. All numbers that it took must be stored when the scope closes.
     */
    readonly open: (
      run: Tracker.Run
    ) => Effect.Effect<(logged: Tracker.Logged) => Effect.Effect<void, E>, E, R | Scope.Scope>
  }
  /** A run that is being tracked. */
  interface Session {
    readonly log: (logged: Tracker.Logged) => Effect.Effect<void, TrackerError>
  }
  interface Service {
    /** Starts or resumes tracking a run. Everything is written when the scope closes. */
    readonly open: (run: Tracker.Run) => Effect.Effect<Session, TrackerError, Scope.Scope>
  }
}

/** A fault of the file system in words; the tracker knows the path and should say it. */
const detailsOf = (cause: { readonly message: string }): string => {
  if (!FileFault.isFileFault(cause)) return cause.message
  const { details, remedy } = FileFault.of(cause)
  return `A file could not be used: ${details}. ${remedy}`
}

const serviceOf = <E extends { readonly message: string }, R>(
  { name, open }: Tracker.Primitives<E, R>,
  context: Context.Context<R>
): Tracker.Service => {
  const failed = (cause: E) =>
    cause instanceof TrackerError ? cause : new TrackerError({ tracker: name, details: detailsOf(cause), cause })
  return {
    open: (run) =>
      Effect.gen(function* () {
        const turns = yield* Effect.makeSemaphore(1)
        const log = yield* open(run)
        return { log: (logged: Tracker.Logged) => Effect.mapError(turns.withPermits(1)(log(logged)), failed) }
      }).pipe(
        Effect.mapError(failed),
        Effect.mapInputContext((scope: Context.Context<Scope.Scope>) => Context.merge(context, scope))
      )
  }
}
