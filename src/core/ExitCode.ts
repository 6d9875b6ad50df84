/**
 * The exit code of an error, as a property of the error: `codex` ends with it, and any program may.
 *
 *     class BadLength extends Schema.TaggedError<BadLength>()("BadLength", { … }) {
 *       get [ExitCode.symbol]() {
 *         return ExitCode.usage
 *       }
 *     }
 *
 * Errors of plugins may have it too. An error without it ends the command with `failure`.
 */
import * as ConfigError from "effect/ConfigError"
import * as Predicate from "effect/Predicate"

/** The key of the property. */
export const symbol = Symbol.for("codex/ExitCode")

/** The data, the disk, a device, a bug: 1. */
export const failure = 1

/** A mistake in the command line, the environment or a config file, which the user can correct: 2. */
export const usage = 2

/** The exit code of any value that an Effect may fail with. */
export const of = (error: unknown): number => {
  // A wrong environment variable.
  if (ConfigError.isConfigError(error)) return usage
  const code = Predicate.hasProperty(error, symbol) ? error[symbol] : undefined
  return typeof code === "number" ? code : failure
}
