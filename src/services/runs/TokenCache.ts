/**
 * Text is tokenized once into a flat file of token ids, which is then read by position.
 *
 * An entry is a directory whose name is the SHA-256 of what it depends on: the digest of the split, the tokenizer's files, the
 * format version. So the text that a run held out is found as long as it is there, also after the files have changed. It holds `tokens.bin`, ids as uint16 or, above 65,536 ids, uint32, little endian (as on every
 * machine that ONNX Runtime runs on), and `index.json` with the counts and the SHA-256. An entry appears whole or not at all
 * (services/files/AtomicFiles.ts), and two processes may build the same one at once: the first that is in place stays. An entry
 * that does not agree with its index is built again. The open file is released with the scope.
 */
import { createHash } from "node:crypto"
import { availableParallelism } from "node:os"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { DatasetError } from "../../core/Dataset.ts"
import * as Json from "../../core/data/Json.ts"
import { TokenCache, type TokenFile, TokenFileError } from "../../core/data/TokenFile.ts"
import type { Tokenizer } from "../../core/Tokenizer.ts"
import * as AtomicFiles from "../files/AtomicFiles.ts"
import { FileError } from "../files/FileError.ts"
import * as TextFile from "../files/TextFile.ts"
import * as EncodeStream from "./EncodeStream.ts"
import type { Encoded, Width } from "./EncodeWorker.ts"

/** Where the cache is by default. */
export const defaultDirectory = ".codex/cache/tokens"

/** Raised when the format changes, or when a tokenizer of the same files gives other ids. */
const FORMAT = 2

const Index = Schema.Struct({
  format: Schema.Literal(FORMAT),
  key: Schema.String,
  dtype: Schema.Literal("uint16", "uint32"),
  tokens: Schema.NonNegativeInt,
  documents: Schema.NonNegativeInt,
  bytes: Schema.NonNegativeInt,
  /** SHA-256 of the blocks that `digestOf` reads. */
  sha256: Schema.String
})
type Index = typeof Index.Type

const IndexJson = Json.schema(Index)

/** Where the cache is, and how it is filled. */
export interface Options {
  /** Created with the first entry. Default: `.codex/cache/tokens`. */
  readonly directory?: string
  /** Threads that encode large texts. The file is the same for any number. Default: one per core. */
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

    /** The index of an entry, if the entry is whole. */
    const check = (entry: string, key: string): Effect.Effect<Option.Option<Index>> =>
      Effect.gen(function* () {
        const text = yield* TextFile.read(fs, path.join(entry, "index.json"))
        const index = yield* Schema.decode(IndexJson)(text)
        const { sha256, size } = yield* digestOf(fs, path.join(entry, "tokens.bin"))
        const whole = index.key === key && size === index.tokens * widthOf(index.dtype) && sha256 === index.sha256
        return whole ? Option.some(index) : Option.none()
      }).pipe(Effect.orElseSucceed(() => Option.none()))

    const build = (entry: string, key: string, options: Parameters<TokenCache.Service["open"]>[0]) =>
      Effect.gen(function* () {
        const staged = yield* fail(AtomicFiles.stageDirectory(entry))
        const file = path.join(staged.path, "tokens.bin")
        const totals = yield* writeTokens(fs, file, options, threads, fail)
        const { sha256 } = yield* fail(digestOf(fs, file))
        const index: Index = { format: FORMAT, key, dtype: dtypeOf(options.tokenizer), ...totals, sha256 }
        yield* fail(
          AtomicFiles.writeSynced(path.join(staged.path, "index.json"), `${JSON.stringify(index, null, 2)}\n`)
        )
        yield* fail(staged.publish({ keep: Effect.map(check(entry, key), Option.isSome) }))
        return index
      }).pipe(Effect.scoped, Effect.provideService(FileSystem.FileSystem, fs), Effect.provideService(Path.Path, path))

    const open: TokenCache.Service["open"] = (options) =>
      Effect.gen(function* () {
        const identity = yield* options.dataset.identity
        const key = keyOf(identity[options.split].digest, options.tokenizer)
        const entry = path.join(directory, key)
        const existing = yield* check(entry, key)
        const index = Option.isSome(existing) ? existing.value : yield* build(entry, key, options)
        return yield* openTokens(fs, path.join(entry, "tokens.bin"), index)
      }).pipe(Effect.withSpan("TokenCache.open"))

    const find: TokenCache.Service["find"] = ({ digest, tokenizer }) =>
      Effect.gen(function* () {
        const key = keyOf(digest, tokenizer)
        const entry = path.join(directory, key)
        const index = yield* check(entry, key)
        return yield* Effect.transposeOption(
          Option.map(index, (index) => openTokens(fs, path.join(entry, "tokens.bin"), index))
        )
      }).pipe(Effect.withSpan("TokenCache.find"))

    return { open, find }
  })

const keyOf = (digest: string, tokenizer: Tokenizer.Service): string => {
  const files = Object.entries(tokenizer.files).sort(([a], [b]) => (a < b ? -1 : 1))
  const parts = [FORMAT, digest, tokenizer.vocabularySize, tokenizer.endOfText ?? null, files]
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex")
}

const dtypeOf = (tokenizer: Tokenizer.Service) => (tokenizer.vocabularySize <= 0x10000 ? "uint16" : "uint32")

const widthOf = (dtype: Index["dtype"]): Width => (dtype === "uint16" ? 2 : 4)

/** Bytes that are gathered before they are written. */
const WRITTEN = 1 << 20

/** Tokenizes all documents into a file. */
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
          const details = `tokens ${position} to ${position + length} were requested, of ${index.tokens}.`
          return Effect.fail(new TokenFileError({ path: file, details, remedy: "Request fewer." }))
        }
        const bytes = new Uint8Array(length * width)
        return fail(fill(handle, position * width, bytes)).pipe(
          Effect.filterOrFail(
            (filled) => filled === bytes.length,
            () =>
              new TokenFileError({
                path: file,
                details: "the file became shorter while it was open.",
                remedy: "Run again."
              })
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

type Failure = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, TokenFileError, R>

/** Turns what the file system reports into the cache's error. */
const failure =
  (path: string): Failure =>
  (effect) =>
    Effect.mapError(effect, (cause) => {
      const details = `the token cache cannot be used: ${FileError.from(path, "write")(cause).details}.`
      return new TokenFileError({
        path,
        details,
        remedy: "Check free space and permissions. A cache can be deleted at any time."
      })
    })
