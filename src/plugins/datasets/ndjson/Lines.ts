/**
 * The lines of a part of a file as bytes, with bounded memory: a block of the file, and the line that it ends inside of.
 *
 * A part has the lines whose first byte is in it, so parts that meet share none. Lines end with a line feed; the last one
 * may lack it.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { DatasetError } from "../../../core/Dataset.ts"
import { type Range, readBytes } from "../text/Documents.ts"

export interface Line {
  readonly bytes: Uint8Array
  /** Counts from 1. */
  readonly number: number
  /** Bytes of the file before it. */
  readonly start: number
}

const LINE_FEED = 0x0a
const BLOCK = 1 << 20
/** A line above this is no longer one string. */
const LONGEST = 1 << 28

interface State {
  /** The next byte to read; undefined at the end. */
  readonly at: number | undefined
  /** What was read of the line that is not whole, and where it starts. */
  readonly pieces: ReadonlyArray<Uint8Array>
  readonly start: number
  readonly number: number
}

export const read = ({ end, file, start }: Range): Stream.Stream<Line, DatasetError, FileSystem.FileSystem> => {
  const block = (state: State) =>
    Effect.gen(function* () {
      if (state.at === undefined || state.start >= end) return Option.none<readonly [Chunk.Chunk<Line>, State]>()
      const bytes = yield* readBytes(file, state.at, Math.min(file.bytes, state.at + BLOCK))
      const lines: Array<Line> = []
      let { number, pieces, start: lineStart } = state
      let from = 0
      const finish = (to: number) => {
        if (lineStart >= start && lineStart < end) {
          const whole = pieces.length === 0 ? bytes.subarray(from, to) : joined([...pieces, bytes.subarray(from, to)])
          lines.push({ bytes: whole, number, start: lineStart })
        }
        pieces = []
      }
      for (let to = bytes.indexOf(LINE_FEED); to >= 0; to = bytes.indexOf(LINE_FEED, from)) {
        finish(to)
        from = to + 1
        number += 1
        lineStart = state.at + from
      }
      const next = state.at + bytes.length
      if (next === file.bytes) finish(bytes.length)
      else pieces = [...pieces, bytes.subarray(from)]
      if (next - lineStart > LONGEST) return yield* tooLong(file.path, number)
      return Option.some([
        Chunk.unsafeFromArray(lines),
        { at: next === file.bytes ? undefined : next, pieces, start: lineStart, number }
      ] as const)
    })
  return Stream.unwrap(
    Effect.map(linesBefore(file, start), (before) =>
      Stream.unfoldChunkEffect(
        // From the byte before: when it ends a line, the part begins with a line of its own.
        { at: Math.max(0, start - 1), pieces: [], start: Math.max(0, start - 1), number: before + 1 },
        block
      )
    )
  )
}

/** Line feeds in the bytes before the one that `start` follows. */
const linesBefore = (file: Range["file"], start: number) =>
  Effect.gen(function* () {
    let count = 0
    for (let at = 0; at < start - 1; at += BLOCK) {
      for (const byte of yield* readBytes(file, at, Math.min(start - 1, at + BLOCK))) if (byte === LINE_FEED) count += 1
    }
    return count
  })

const joined = (pieces: ReadonlyArray<Uint8Array>): Uint8Array => {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

const tooLong = (path: string, line: number) =>
  new DatasetError({
    reason: "InvalidText",
    path,
    line,
    details: `the line is longer than ${LONGEST / 2 ** 20} MiB.`,
    remedy: "Write one document a line, and longer ones as text files."
  })
