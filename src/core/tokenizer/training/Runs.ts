/**
 * Words on disk: each run is a file of sorted words with their counts, and all runs together are read as one.
 *
 * A record is the word's length in units (4 bytes), its count (8 bytes) and its units (2 bytes each), in the byte order of the
 * machine: runs are temporary.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Breath from "./Breath.ts"
import * as Words from "./Words.ts"

/** Bytes that are read and written at once. */
const BUFFER = 1 << 20
const HEAD = 12

/** Writes sorted words to a file. */
export const write = (
  fs: FileSystem.FileSystem,
  path: string,
  words: Words.Words
): Effect.Effect<void, PlatformError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* fs.open(path, { flag: "wx" })
      let buffer = new Uint8Array(BUFFER)
      let view = new DataView(buffer.buffer)
      let used = 0
      for (let word = 0; word < Words.size(words); word++) {
        const start = words.starts[word]!
        const length = words.starts[word + 1]! - start
        const record = HEAD + 2 * length
        if (used + record > buffer.length) {
          yield* file.writeAll(buffer.subarray(0, used))
          used = 0
          if (record > buffer.length) {
            buffer = new Uint8Array(record)
            view = new DataView(buffer.buffer)
          }
        }
        view.setUint32(used, length)
        view.setFloat64(used + 4, words.counts[word]!)
        for (let i = 0; i < length; i++) view.setUint16(used + HEAD + 2 * i, words.units[start + i]!)
        used += record
      }
      yield* file.writeAll(buffer.subarray(0, used))
    })
  )

/** The words of one run, one after the other. */
class Reader {
  /** The word is `units[0, length)`; a length of −1 ends the run. */
  units = new Uint16Array(64)
  length = -1
  count = 0
  private buffer = new Uint8Array(BUFFER)
  private view = new DataView(this.buffer.buffer)
  private at = 0
  private end = 0
  private finished = false
  private readonly file: FileSystem.File

  constructor(file: FileSystem.File) {
    this.file = file
  }

  /** Moves to the next word; false when bytes must be read first. */
  next(): boolean {
    const { view } = this
    const head = this.end - this.at >= HEAD
    const record = head ? HEAD + 2 * view.getUint32(this.at) : HEAD
    if (!head || this.end - this.at < record) {
      if (!this.finished) return false
      this.length = -1
      return true
    }
    this.length = (record - HEAD) / 2
    this.count = view.getFloat64(this.at + 4)
    if (this.length > this.units.length) this.units = new Uint16Array(2 * this.length)
    for (let i = 0; i < this.length; i++) this.units[i] = view.getUint16(this.at + HEAD + 2 * i)
    this.at += record
    return true
  }

  /** Reads on. */
  get fill(): Effect.Effect<void, PlatformError> {
    return Effect.gen(this, function* () {
      const left = this.end - this.at
      const head = left >= HEAD ? HEAD + 2 * this.view.getUint32(this.at) : HEAD
      const buffer = head > this.buffer.length ? new Uint8Array(head + BUFFER) : this.buffer
      buffer.set(this.buffer.subarray(this.at, this.end))
      this.buffer = buffer
      this.view = new DataView(buffer.buffer)
      this.at = 0
      this.end = left
      const bytes = yield* this.file.readAlloc(FileSystem.Size(buffer.length - left))
      if (Option.isNone(bytes)) this.finished = true
      else {
        buffer.set(bytes.value, left)
        this.end += bytes.value.length
      }
    })
  }
}

/** Visits every word of all runs once, in order, with its counts added up. */
export const merge = (
  fs: FileSystem.FileSystem,
  paths: ReadonlyArray<string>,
  visit: (units: Uint16Array, length: number, count: number) => void
): Effect.Effect<void, PlatformError, Scope.Scope> =>
  Effect.gen(function* () {
    const breath = Breath.make()
    const advance = (reader: Reader): Effect.Effect<void, PlatformError> =>
      Effect.whileLoop({ while: () => !reader.next(), body: () => reader.fill, step: () => {} })
    const readers = yield* Effect.forEach(paths, (path) =>
      Effect.map(fs.open(path, { flag: "r" }), (file) => new Reader(file))
    )
    for (const reader of readers) yield* advance(reader)
    for (;;) {
      let least: Reader | undefined
      for (const reader of readers) {
        if (reader.length >= 0 && (least === undefined || order(reader, least) < 0)) least = reader
      }
      if (least === undefined) return
      let count = 0
      const { length, units } = least
      const same = readers.filter((reader) => reader === least || (reader.length >= 0 && order(reader, least) === 0))
      for (const reader of same) count += reader.count
      visit(units, length, count)
      for (const reader of same) if (!reader.next()) yield* advanceAfter(reader, advance)
      if (breath.due()) yield* breath.take
    }
  })

const advanceAfter = (reader: Reader, advance: (reader: Reader) => Effect.Effect<void, PlatformError>) =>
  Effect.zipRight(reader.fill, advance(reader))

const order = (a: Reader, b: Reader) => Words.compare(a.units, 0, a.length, b.units, 0, b.length)
