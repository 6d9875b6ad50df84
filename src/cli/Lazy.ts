/**
 * A command's handler in a module of its own, loaded when the command runs: what it imports costs other commands nothing.
 *
 *     Command.make("list", options, lazy(() => import("./handlers/plugins-list.ts")))
 *
 * What a command does is recorded in a session (Recorded.ts). A handler whose config says how exports `logging` as well.
 */
import * as Effect from "effect/Effect"
import type { LoggingConfig } from "../core/config/RunConfig.ts"
import * as ParserConsole from "./ParserConsole.ts"

interface Handler<A, B, E, R, R2> {
  readonly run: (options: A) => Effect.Effect<B, E, R>
  /** What the config that the options name says of logging; a config that is wrong is `run`'s to tell. */
  readonly logging?: (options: A) => Effect.Effect<LoggingConfig, never, R2>
}

/** The module's `run` on the parsed options, in a session, with a plain console instead of the parser's. */
export const lazy =
  <A, B, E, R, R2 = never>(load: () => Promise<Handler<A, B, E, R, R2>>) =>
  (options: A) =>
    Effect.promise(() => Promise.all([load(), import("./Recorded.ts")])).pipe(
      Effect.flatMap(([{ logging, run }, { recorded }]) => recorded(run(options), logging?.(options))),
      ParserConsole.without
    )

/** The same without a session: for commands on logs themselves. */
export const lazyUnrecorded =
  <A, B, E, R>(load: () => Promise<Handler<A, B, E, R, never>>) =>
  (options: A) =>
    Effect.promise(() => Promise.all([load(), import("./Recorded.ts")])).pipe(
      Effect.flatMap(([{ run }, { journalled }]) => journalled(run(options))),
      ParserConsole.without
    )
