/**
 * Words that do not fit in memory: runs of sorted words in temporary files, and the merge of all runs.
 *
 * A record is the word's length in units (4 bytes), its count (8 bytes) and its units (2 bytes each), big-endian. Where the
 * bytes are stored is up to SpillStorage, which the trainer's plugin provides.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as EventLoop from "../../EventLoop.ts"
import type { TokenizerTrainError } from "../../TokenizerTrainer.ts"
import * as WordCounts from "./WordCounts.ts"

/** Temporary files by number. Each is written once and may be read several times; files are closed with the scope. */
export interface SpillStorage {
  /** Creates a file. The result appends bytes to it. */
  readonly create: (
    file: number
  ) => Effect.Effect<(bytes: Uint8Array) => Effect.Effect<void, TokenizerTrainError>, TokenizerTrainError, Scope.Scope>
  /** Opens a file. The result reads on, up to so many bytes, and gives undefined at the end. */
  readonly open: (
    file: number
  ) => Effect.Effect<
    (bytes: number) => Effect.Effect<Uint8Array | undefined, TokenizerTrainError>,
    TokenizerTrainError,
    Scope.Scope
  >
}

/** Storage whose files are removed with the scope. It is acquired only when words do not fit in memory. */
export type AcquireStorage = Effect.Effect<SpillStorage, TokenizerTrainError, Scope.Scope>

/** Bytes that are read and written at once. */
const BUFFER = 1 << 20
const HEAD = 12

/** Writes sorted words to a new file. */
export const write = (
  storage: SpillStorage,
  file: number,
  words: WordCounts.WordCounts
): Effect.Effect<void, TokenizerTrainError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const append = yield* storage.create(file)
      let buffer = new Uint8Array(BUFFER)
      let view = new DataView(buffer.buffer)
      let used = 0
      for (let word = 0; word < WordCounts.size(words); word++) {
        const start = words.starts[word]!
        const length = words.starts[word + 1]! - start
        const record = HEAD + 2 * length
        if (used + record > buffer.length) {
          yield* append(buffer.subarray(0, used))
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
      yield* append(buffer.subarray(0, used))
    })
  )

/** The words of one run, one after another. */
class RunReader {
  /** The word is `units[0, length)`; a length of −1 means the end of the run. */
  units = new Uint16Array(64)
  length = -1
  count = 0
  private buffer = new Uint8Array(BUFFER)
  private view = new DataView(this.buffer.buffer)
  private at = 0
  private end = 0
  private finished = false
  private readonly read: (bytes: number) => Effect.Effect<Uint8Array | undefined, TokenizerTrainError>

  constructor(read: (bytes: number) => Effect.Effect<Uint8Array | undefined, TokenizerTrainError>) {
    this.read = read
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

  /** Reads more bytes. */
  get fill(): Effect.Effect<void, TokenizerTrainError> {
    return Effect.gen(this, function* () {
      const left = this.end - this.at
      const head = left >= HEAD ? HEAD + 2 * this.view.getUint32(this.at) : HEAD
      const buffer = head > this.buffer.length ? new Uint8Array(head + BUFFER) : this.buffer
      buffer.set(this.buffer.subarray(this.at, this.end))
      this.buffer = buffer
      this.view = new DataView(buffer.buffer)
      this.at = 0
      this.end = left
      const bytes = yield* this.read(buffer.length - left)
      if (bytes === undefined) this.finished = true
      else {
        buffer.set(bytes, left)
        this.end += bytes.length
      }
    })
  }
}

/** Calls `visit` once for each word of the first `runs` files, in sorted order, with its counts added up. */
export const merge = (
  storage: SpillStorage,
  runs: number,
  visit: (units: Uint16Array, length: number, count: number) => void
): Effect.Effect<void, TokenizerTrainError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const slice = EventLoop.timeSlice()
      const readers = yield* Effect.forEach(Array.from({ length: runs }).keys(), (run) =>
        Effect.map(storage.open(run), (read) => new RunReader(read))
      )
      for (const reader of readers) yield* advance(reader)
      for (;;) {
        let least: RunReader | undefined
        for (const reader of readers) {
          if (reader.length >= 0 && (least === undefined || order(reader, least) < 0)) least = reader
        }
        if (least === undefined) return
        let count = 0
        const { length, units } = least
        const same = readers.filter((reader) => reader === least || (reader.length >= 0 && order(reader, least) === 0))
        for (const reader of same) count += reader.count
        visit(units, length, count)
        for (const reader of same) if (!reader.next()) yield* Effect.zipRight(reader.fill, advance(reader))
        if (slice.isOver()) yield* slice.next
      }
    })
  )

const advance = (reader: RunReader): Effect.Effect<void, TokenizerTrainError> =>
  Effect.whileLoop({ while: () => !reader.next(), body: () => reader.fill, step: () => {} })

const order = (a: RunReader, b: RunReader) => WordCounts.compare(a.units, 0, a.length, b.units, 0, b.length)
