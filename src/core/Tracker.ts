/**
 * The tracker kind: where a run's numbers go while it runs.
 *
 * Laws (src/testing/tracker.ts): 1. what was logged before the scope closed can be read back afterwards, also when the
 * run failed; 2. values keep their order; 3. opening a run again after step n (a resumed run) drops what was logged for
 * steps > n before, and keeps the rest.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Plugin from "./plugin/Plugin.ts"

export class TrackerError extends Schema.TaggedError<TrackerError>()("TrackerError", {
  tracker: Schema.String,
  details: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  override get message() {
    return `Tracker ${this.tracker}: ${this.details}`
  }
}

export interface TrackedRun {
  readonly id: string
  /** The run's own directory; trackers that write files do so inside it. */
  readonly directory: string
  /** The composed config, as JSON. */
  readonly config: unknown
  /** The step after which logging goes on: 0 for a new run. */
  readonly fromStep: number
}

export interface Logged {
  readonly step: number
  /** `train`, `validation`, … */
  readonly split: string
  readonly values: { readonly [metric: string]: number }
  /** Milliseconds since the epoch and durations: kept apart, because two equal runs differ in nothing else. */
  readonly time: { readonly [name: string]: number }
}

export class Tracker extends Context.Tag("codex/Tracker")<Tracker, Tracker.Service>() {
  /** One tracker out of several: everything goes to each of them, in order. */
  static all(trackers: ReadonlyArray<Tracker.Service>): Tracker.Service {
    return {
      open: (run) =>
        Effect.map(
          Effect.forEach(trackers, (tracker) => tracker.open(run)),
          (sessions) => ({
            log: (logged) => Effect.forEach(sessions, (session) => session.log(logged), { discard: true })
          })
        )
    }
  }
}

export declare namespace Tracker {
  interface Session {
    readonly log: (logged: Logged) => Effect.Effect<void, TrackerError>
  }
  interface Service {
    /** Starts, or goes on with, tracking a run. Everything is written when the scope closes. */
    readonly open: (run: TrackedRun) => Effect.Effect<Session, TrackerError, Scope.Scope>
  }
}

export const TrackerKind = Plugin.kind("tracker", { api: 1, tag: Tracker })
