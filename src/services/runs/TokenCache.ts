/**
 * Text is tokenised once into a flat file of token ids, which is then read by position.
 *
 * An entry is a folder named by the SHA-256 of what it depends on (the dataset's fingerprint, the split, the tokenizer's
 * files, the format version). It holds `tokens.bin`, ids as uint16 or, above 65,536 ids, uint32, little endian (as on every
 * machine that ONNX Runtime runs on), and `index.json`, which says what it holds and its SHA-256. It is written under a
 * temporary sibling name, synced and renamed, so `kill -9` leaves either nothing or all of it, and two processes may build
 * the same entry at once: the first rename wins, the contents are equal. An entry that does not agree with its index is
 * built again. Released with the scope: the open file; on failure or interruption also the temporary folder and the threads
 * that encode (tokens/EncodeStream.ts).
 */
import { createHash } from "node:crypto"
import { availableParallelism } from "node:os"
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { DatasetError } from "../../core/Dataset.ts"
import { TokenCache, type TokenFile, TokenFileError } from "../../core/data/TokenFile.ts"
import type { Tokenizer } from "../../core/Tokenizer.ts"
import type { Encoded, Width } from "./encode/EncodeProtocol.ts"
import * as EncodeStream from "./encode/EncodeStream.ts"

export const defaultDirectory = ".codex/cache/tokens"

/** Raised when files written before no longer mean the same, or a tokenizer's ids for one file change. */
const FORMAT = 1

const Index = Schema.Struct({
  format: Schema.Literal(FORMAT),
  key: Schema.String,
  dtype: Schema.Literal("uint16", "uint32"),
  tokens: Schema.NonNegativeInt,
  documents: Schema.NonNegativeInt,
  bytes: Schema.NonNegativeInt,
  /** Of the blocks that `digestOf` reads. */
  sha256: Schema.String
})
type Index = typeof Index.Type

const IndexJson = Schema.parseJson(Index)

export interface Options {
  /** Made when the first entry is. Default: `.codex/cache/tokens`. */
  readonly directory?: string
  /** Threads that encode when there is much text. The file is the same for any number. Default: one a core. */
  readonly threads?: number
}

export const layer = (options: Options = {}): Layer.Layer<TokenCache, never, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(TokenCache, make(options))

const make = (options: Options): Effect.Effect<TokenCache.Service, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const { directory = defaultDirectory, threads = availableParallelism() } = options
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const fail = failure(directory)

    /** The entry's index when the entry is whole, else nothing. */
    const check = (entry: string, key: string): Effect.Effect<Option.Option<Index>> =>
      Effect.gen(function* () {
        const text = yield* fs.readFileString(path.join(entry, "index.json"))
        const index = yield* Schema.decode(IndexJson)(text)
        const { sha256, size } = yield* digestOf(fs, path.join(entry, "tokens.bin"))
        const whole = index.key === key && size === index.tokens * widthOf(index.dtype) && sha256 === index.sha256
        return whole ? Option.some(index) : Option.none()
      }).pipe(Effect.orElseSucceed(() => Option.none()))

    const build = (entry: string, key: string, options: Parameters<TokenCache.Service["open"]>[0]) =>
      Effect.gen(function* () {
        yield* fail(fs.makeDirectory(directory, { recursive: true }))
        yield* removeAbandoned(fs, path, directory)
        const temporary = yield* Effect.acquireRelease(
          fail(fs.makeTempDirectory({ directory, prefix: TEMPORARY })),
          (folder) => Effect.ignore(fs.remove(folder, { recursive: true, force: true }))
        )
        const file = path.join(temporary, "tokens.bin")
        const totals = yield* writeTokens(fs, file, options, threads, fail)
        const { sha256 } = yield* fail(digestOf(fs, file))
        const index: Index = { format: FORMAT, key, dtype: dtypeOf(options.tokenizer), ...totals, sha256 }
        yield* fail(writeSynced(fs, path.join(temporary, "index.json"), `${JSON.stringify(index, null, 2)}\n`))
        // A rename onto a folder that is there fails. If that one is whole, another process was faster.
        const publish = fs.rename(temporary, entry)
        yield* publish.pipe(
          Effect.catchAll(() =>
            Effect.flatMap(check(entry, key), (existing) =>
              Option.isSome(existing)
                ? Effect.void
                : fail(Effect.zipRight(fs.remove(entry, { recursive: true, force: true }), publish))
            )
          )
        )
        return index
      }).pipe(Effect.scoped)

    const open: TokenCache.Service["open"] = (options) =>
      Effect.gen(function* () {
        const key = keyOf(options, yield* options.dataset.fingerprint)
        const entry = path.join(directory, key)
        const existing = yield* check(entry, key)
        const index = Option.isSome(existing) ? existing.value : yield* build(entry, key, options)
        return yield* openTokens(fs, path.join(entry, "tokens.bin"), index)
      }).pipe(Effect.withSpan("TokenCache.open"))

    return { open }
  })

const TEMPORARY = ".building-"
const ABANDONED_MILLIS = 24 * 60 * 60 * 1000

/** Removes what killed processes left: temporary folders a day old. */
const removeAbandoned = (fs: FileSystem.FileSystem, path: Path.Path, directory: string) =>
  Effect.gen(function* () {
    const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    for (const name of yield* fs.readDirectory(directory)) {
      if (!name.startsWith(TEMPORARY)) continue
      const folder = path.join(directory, name)
      const changed = Option.getOrUndefined((yield* fs.stat(folder)).mtime)
      if (changed !== undefined && now - changed.getTime() > ABANDONED_MILLIS) {
        yield* fs.remove(folder, { recursive: true, force: true })
      }
    }
  }).pipe(Effect.ignore)

const keyOf = (options: Parameters<TokenCache.Service["open"]>[0], fingerprint: string): string => {
  const { split, tokenizer } = options
  const files = Object.entries(tokenizer.files).sort(([a], [b]) => (a < b ? -1 : 1))
  const parts = [FORMAT, fingerprint, split, tokenizer.vocabularySize, tokenizer.endOfText ?? null, files]
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex")
}

const dtypeOf = (tokenizer: Tokenizer.Service) => (tokenizer.vocabularySize <= 0x10000 ? "uint16" : "uint32")

const widthOf = (dtype: Index["dtype"]): Width => (dtype === "uint16" ? 2 : 4)

/** Bytes gathered before they are written. */
const WRITTEN = 1 << 20

/** Tokenises all documents into a file. */
const writeTokens = (
  fs: FileSystem.FileSystem,
  file: string,
  options: Parameters<TokenCache.Service["open"]>[0],
  threads: number,
  fail: Failure
): Effect.Effect<Pick<Index, "tokens" | "documents" | "bytes">, DatasetError | TokenFileError> =>
  Effect.gen(function* () {
    const { dataset, onProgress, split, tokenizer } = options
    const handle = yield* fail(fs.open(file, { flag: "w" }))
    const totals = { tokens: 0, documents: 0, bytes: 0 }
    const waiting = new Uint8Array(WRITTEN)
    let filled = 0
    const flush = Effect.suspend(() => {
      const count = filled
      filled = 0
      return count === 0 ? Effect.void : fail(handle.writeAll(waiting.subarray(0, count)))
    })
    const write = (encoded: Encoded) =>
      Effect.gen(function* () {
        const { buffer, byteLength, byteOffset, length } = encoded.ids
        const bytes = new Uint8Array(buffer, byteOffset, byteLength)
        if (filled + bytes.length > waiting.length) yield* flush
        if (bytes.length > waiting.length) yield* fail(handle.writeAll(bytes))
        else {
          waiting.set(bytes, filled)
          filled += bytes.length
        }
        totals.tokens += length
        for (const bytes of encoded.bytes) {
          totals.documents += 1
          totals.bytes += bytes
          if (onProgress !== undefined) yield* onProgress({ documents: totals.documents, bytes: totals.bytes })
        }
      })
    const texts = Stream.map(dataset.documents(split), ({ text }) => text)
    const width = widthOf(dtypeOf(tokenizer))
    yield* EncodeStream.run({ texts, tokenizer, width, threads, write }).pipe(
      Effect.catchTag("EncodePoolError", ({ message }) => {
        const remedy = "Run again; `threads: 1` encodes without other threads."
        return new TokenFileError({ path: file, details: `the text was not encoded. ${message}`, remedy })
      })
    )
    yield* flush
    yield* fail(handle.sync)
    return totals
  }).pipe(Effect.scoped)

const writeSynced = (fs: FileSystem.FileSystem, file: string, text: string) =>
  Effect.gen(function* () {
    const handle = yield* fs.open(file, { flag: "w" })
    yield* handle.writeAll(new TextEncoder().encode(text))
    yield* handle.sync
  }).pipe(Effect.scoped)

/** The file by position. Reads share one handle, so they take turns. */
const openTokens = (
  fs: FileSystem.FileSystem,
  file: string,
  index: Index
): Effect.Effect<TokenFile, TokenFileError, Scope.Scope> =>
  Effect.gen(function* () {
    const fail = failure(file)
    const handle = yield* fail(fs.open(file, { flag: "r" }))
    const turns = yield* Effect.makeSemaphore(1)
    const width = widthOf(index.dtype)
    return {
      length: index.tokens,
      documents: index.documents,
      bytes: index.bytes,
      read: (position, length) => {
        if (position < 0 || length < 0 || position + length > index.tokens) {
          const details = `tokens ${position} to ${position + length} were asked for, of ${index.tokens}.`
          return Effect.fail(new TokenFileError({ path: file, details, remedy: "Ask for fewer." }))
        }
        const bytes = new Uint8Array(length * width)
        return fail(fill(handle, position * width, bytes)).pipe(
          Effect.filterOrFail(
            (filled) => filled === bytes.length,
            () => new TokenFileError({ path: file, details: "became shorter while it was open.", remedy: "Run again." })
          ),
          Effect.map(() => new Int32Array(width === 2 ? new Uint16Array(bytes.buffer) : new Uint32Array(bytes.buffer))),
          turns.withPermits(1)
        )
      }
    }
  })

/** Reads from a position until the bytes are full or the file ends; gives the number of bytes read. */
const fill = (handle: FileSystem.File, position: number, bytes: Uint8Array) =>
  Effect.gen(function* () {
    yield* handle.seek(position, "start")
    let filled = 0
    while (filled < bytes.length) {
      const count = Number(yield* handle.read(bytes.subarray(filled)))
      if (count === 0) break
      filled += count
    }
    return filled
  })

const BLOCK = 1 << 20
const BLOCKS = 64

/**
 * Size of a file and SHA-256 of 64 blocks of 1 MiB spread evenly over it, first and last included: of all of it up to
 * 64 MiB, and in constant time above, so that opening a large cache stays cheap.
 */
const digestOf = (fs: FileSystem.FileSystem, file: string) =>
  Effect.gen(function* () {
    const handle = yield* fs.open(file, { flag: "r" })
    const size = Number((yield* handle.stat).size)
    const hash = createHash("sha256")
    const blocks = Math.min(BLOCKS, Math.ceil(size / BLOCK))
    for (let i = 0; i < blocks; i++) {
      const start = size <= BLOCK * BLOCKS ? i * BLOCK : Math.floor((i * (size - BLOCK)) / (BLOCKS - 1))
      const bytes = new Uint8Array(Math.min(BLOCK, size - start))
      yield* fill(handle, start, bytes)
      hash.update(bytes)
    }
    return { size, sha256: hash.digest("hex") }
  }).pipe(Effect.scoped)

type Failure = <A, R>(effect: Effect.Effect<A, PlatformError, R>) => Effect.Effect<A, TokenFileError, R>

/** Turns what the file system says into the cache's error. */
const failure =
  (path: string): Failure =>
  (effect) =>
    Effect.mapError(
      effect,
      (cause) =>
        new TokenFileError({
          path,
          details: `the token cache cannot be used (${cause.message}).`,
          remedy: "Check the free space and the permissions there; a cache may be deleted at any time."
        })
    )
