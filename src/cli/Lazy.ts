/**
 * A command's handler in a module of its own, loaded when the command runs: what it imports costs other commands nothing.
 *
 *     Command.make("list", options, lazy(() => import("./handlers/plugins-list.ts")))
 */
import * as Effect from "effect/Effect"
import * as ParserConsole from "./ParserConsole.ts"

/** The module's `run` on the parsed options, with a plain console instead of the parser's. */
export const lazy =
  <A, B, E, R>(load: () => Promise<{ readonly run: (options: A) => Effect.Effect<B, E, R> }>) =>
  (options: A): Effect.Effect<B, E, R> =>
    Effect.promise(load).pipe(
      Effect.flatMap(({ run }) => run(options)),
      ParserConsole.without
    )
