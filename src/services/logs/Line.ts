/**
 * An event as the one line of JSON that both NDJSON and the table are written from.
 *
 * Whatever a program logs must not make the log fail: values that JSON cannot hold become text, and half a surrogate pair,
 * which no UTF-8 file can hold, becomes U+FFFD.
 */
import * as Inspectable from "effect/Inspectable"
import * as Schema from "effect/Schema"
import { Metadata, type SessionEvent } from "../../core/SessionEvent.ts"

/** No line feed inside, none at the end. */
export const of = (event: SessionEvent): string => {
  const { metadata, ...rest } = event
  const line = Object.keys(metadata).length === 0 ? JSON.stringify(rest) : withMetadata(rest, metadata)
  return line.includes("\\ud") ? line.replace(escapes, (found) => (found.length === 6 ? "\ufffd" : found)) : line
}

/** JSON escapes a surrogate only where its other half is missing. */
const escapes = /\\(?:ud[89a-f][0-9a-f]{2}|.)/g

const withMetadata = (rest: object, metadata: SessionEvent["metadata"]): string => {
  try {
    return JSON.stringify({ ...rest, metadata }, plain)
  } catch {
    return JSON.stringify({ ...rest, metadata: texts(metadata) })
  }
}

/** Metadata as JSON has it: what an object says of itself, not the object. */
export const plainMetadata = (metadata: SessionEvent["metadata"]): SessionEvent["metadata"] => {
  try {
    return Schema.decodeSync(Json)(JSON.stringify(metadata, plain))
  } catch {
    return texts(metadata)
  }
}

const Json = Schema.parseJson(Metadata)

const plain = (_: string, value: unknown): unknown => (typeof value === "bigint" ? value.toString() : value)

/** What JSON refuses whole, such as what contains itself. */
const texts = (metadata: SessionEvent["metadata"]): SessionEvent["metadata"] =>
  Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, Inspectable.toStringUnknown(value, 0)]))
