/**
 * Reads one damaged file. Only a result or a typed error with a message is right.
 */
import type { NodeContext } from "@effect/platform-node/NodeContext"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import { mutate } from "./Mutation.ts"
import type { Valid } from "./readers.ts"

/** A case: the number `seed` of a format. Its damaged file follows from the two. */
export const damagedOf = (files: ReadonlyArray<Valid>, seed: number) => {
  const file = files[seed % files.length]!
  return {
    file,
    damaged: mutate(
      file.bytes,
      seed,
      files.map(({ bytes }) => bytes)
    )
  }
}

/** What the reader did wrong; undefined if nothing. */
export const attempt = (
  files: ReadonlyArray<Valid>,
  seed: number
): Effect.Effect<string | undefined, never, NodeContext> =>
  Effect.gen(function* () {
    const { damaged, file } = damagedOf(files, seed)
    const exit = yield* Effect.exit(Effect.suspend(() => file.read(damaged)))
    const fault = Exit.isFailure(exit) ? faultOf(exit.cause) : undefined
    return fault === undefined ? undefined : `${file.name}, case ${seed}: ${fault}`
  })

const faultOf = (cause: Cause.Cause<unknown>): string | undefined => {
  const [failure] = [...Cause.failures(cause)]
  if (Cause.isDie(cause) || failure === undefined) return Cause.pretty(cause)
  if (!Predicate.hasProperty(failure, "_tag") || !Predicate.hasProperty(failure, "message")) {
    return `not a typed error: ${String(failure)}`
  }
  const { message } = failure
  return typeof message === "string" && message !== "" && message.length < LONGEST
    ? undefined
    : `its message is ${typeof message === "string" ? `${message.length} characters long` : typeof message}`
}

/** Characters of a message that people can still read. */
const LONGEST = 4000
