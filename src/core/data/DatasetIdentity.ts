/**
 * What makes two datasets the same: the SHA-256 of their texts in order, for each split, and where those texts come from.
 *
 *     { fingerprint, train: { digest, documents, bytes, sources }, validation: { … } }
 *
 * The digest of a split is a chain over its documents, so it changes with any text, with the order, and with where one document
 * ends. Names do not matter to it: text that moved to another path has the same digest. Sources (files, or documents that come
 * from no file) have names, so that `changes` can say what differs between two datasets. It is a record, not a format to
 * read data from: runs keep it in `data.json`.
 */
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { plural } from "../Plural.ts"

/** What a document is used for. */
export type Split = "train" | "validation"

export const splits = ["train", "validation"] as const satisfies ReadonlyArray<Split>

/** A file, or a document that comes from no file: what a split has of it. */
export const Source = Schema.Struct({
  name: Schema.String,
  /** Whether the name is that of a file. Other names are those of documents, such as their positions. */
  file: Schema.Boolean,
  documents: Schema.Int,
  /** UTF-8 bytes of its text. */
  bytes: Schema.Int,
  /** SHA-256 of its text; of several documents, of the chain of their digests. */
  sha256: Schema.String
})
export type Source = typeof Source.Type

/** One split of a dataset. */
export const SplitIdentity = Schema.Struct({
  /** SHA-256 over the texts of its documents, in order. */
  digest: Schema.String,
  /** Undefined if the dataset gives its own fingerprint, because nothing is read then. */
  documents: Schema.optional(Schema.Int),
  /** UTF-8 bytes of the text. */
  bytes: Schema.optional(Schema.Int),
  /** In order. Undefined above `mostSources`, and if the dataset gives its own fingerprint. */
  sources: Schema.optional(Schema.Array(Source))
})
export type SplitIdentity = typeof SplitIdentity.Type

/** A dataset: equal fingerprints mean equal texts, order and splits. */
export const DatasetIdentity = Schema.Struct({
  fingerprint: Schema.String,
  train: SplitIdentity,
  validation: SplitIdentity
}).annotations({ identifier: "DatasetIdentity" })
export type DatasetIdentity = typeof DatasetIdentity.Type

/** Sources of a split that are kept by name. A split with more of them is known by its digest and its counts. */
export const mostSources = 50_000

/** What a digest is made from. `source` is the name of a file that has several documents; by default each is a source. */
interface Text {
  readonly id: string
  readonly text: string
  readonly source?: string
}

/** The identity of the splits of a dataset. Reads every document once, one at a time. */
export const ofDocuments = <E, R>(
  documents: (split: Split) => Stream.Stream<Text, E, R>
): Effect.Effect<DatasetIdentity, E, R> =>
  Effect.gen(function* () {
    const of = (split: Split) =>
      Effect.gen(function* () {
        const reader = makeReader()
        yield* Stream.runForEachChunk(documents(split), (texts) => Effect.forEach(texts, reader.add, { discard: true }))
        return yield* reader.end
      })
    const [train, validation] = [yield* of("train"), yield* of("validation")]
    return { fingerprint: yield* fingerprintOf(train, validation), train, validation }
  })

/** The identity of a dataset that is known by its fingerprint alone: if it differs, both splits count as changed. */
export const ofFingerprint = (fingerprint: string): Effect.Effect<DatasetIdentity> =>
  Effect.gen(function* () {
    const of = (split: Split) => Effect.map(sha256(utf8(`${split} ${fingerprint}`)), hex)
    return { fingerprint, train: { digest: yield* of("train") }, validation: { digest: yield* of("validation") } }
  })

/** The documents of a split, with `onChanged` at their end if they are not those of the identity. */
export const checked = <A extends Text, E, R, E2>(
  documents: Stream.Stream<A, E, R>,
  expected: SplitIdentity,
  onChanged: (source: string | undefined) => Effect.Effect<never, E2>
): Stream.Stream<A, E | E2, R> =>
  Stream.suspend(() => {
    const reader = makeReader()
    const end = Effect.flatMap(reader.end, (read) =>
      read.digest === expected.digest ? Effect.void : onChanged(firstDifference(expected, read))
    )
    return documents.pipe(
      Stream.mapChunksEffect((texts) => Effect.as(Effect.forEach(texts, reader.add, { discard: true }), texts)),
      Stream.concat(Stream.execute(end))
    )
  })

const firstDifference = (before: SplitIdentity, after: SplitIdentity): string | undefined =>
  after.sources?.find(({ sha256 }, i) => before.sources?.[i]?.sha256 !== sha256)?.name ?? before.sources?.at(-1)?.name

const fingerprintOf = (train: SplitIdentity, validation: SplitIdentity) =>
  Effect.map(sha256(utf8(`${train.digest} ${validation.digest}`)), hex)

/**
 * What differs between two datasets, in words: `added d.txt`, `edited a.txt (120 → 131 bytes)`, `renamed b.txt to c.txt`, `the order
 * of the text`. Empty if they have the same texts in the same order and splits.
 */
export const changes = (before: DatasetIdentity, after: DatasetIdentity): ReadonlyArray<string> => {
  if (before.fingerprint === after.fingerprint) return []
  const [old, now] = [partsOf(before), partsOf(after)]
  if (old === undefined || now === undefined) return countChanges(before, after)
  const gone = [...old.values()].filter(({ name }) => !now.has(name))
  const come = [...now.values()].filter(({ name }) => !old.has(name))
  const renamed: Array<readonly [Parts, Parts]> = []
  for (const part of gone) {
    const twin = come.find((other) => other.content === part.content && !renamed.some(([, taken]) => taken === other))
    if (twin !== undefined) renamed.push([part, twin])
  }
  const [from, to] = [new Set(renamed.map(([part]) => part)), new Set(renamed.map(([, part]) => part))]
  const kept = [...old.values()].flatMap((part) => {
    const other = now.get(part.name)
    return other === undefined ? [] : [[part, other] as const]
  })
  const differ = kept.filter(([a, b]) => a.content !== b.content)
  const recut = differ.filter(([a, b]) => a.bytes === b.bytes && (a.splits !== b.splits || a.splits === cut))
  const edited = differ.filter((pair) => !recut.includes(pair))
  const moved = [...kept, ...renamed].filter(([a, b]) => a.content === b.content && a.splits !== b.splits)
  const into = (split: string) => moved.filter(([, b]) => b.splits === split).map(([, b]) => b.name)
  const found = [
    listed(
      "added",
      come.filter((part) => !to.has(part)).map(({ name }) => name)
    ),
    listed(
      "removed",
      gone.filter((part) => !from.has(part)).map(({ name }) => name)
    ),
    listed(
      "edited",
      edited.map(([a, b]) => (a.bytes === b.bytes ? b.name : `${b.name} (${a.bytes} → ${b.bytes} bytes)`))
    ),
    listed(
      "renamed",
      renamed.map(([a, b]) => `${a.name} to ${b.name}`)
    ),
    listed("moved from training to held-out text", into("validation")),
    listed("moved from held-out to training text", into("train")),
    listed(
      "cut at another place into training and held-out text",
      recut.map(([, b]) => b.name)
    )
  ].filter((text) => text !== undefined)
  const same = [...kept, ...renamed]
  const reordered = splits.some((split) => {
    const both = same.filter((pair) => pair.every(({ positions }) => positions[split] !== undefined))
    const order = (index: 0 | 1) =>
      [...both].sort((a, b) => (a[index].positions[split] ?? 0) - (b[index].positions[split] ?? 0))
    const now = order(1)
    return order(0).some((pair, i) => pair !== now[i])
  })
  return reordered || found.length === 0 ? [...found, "the order of the text"] : found
}

/** What both splits have of a source. */
interface Parts {
  readonly name: string
  readonly content: string
  readonly bytes: number
  readonly splits: string
  readonly positions: { readonly [split in Split]?: number }
}

/** The `splits` of a source that is cut into both. */
const cut = splits.join()

/** Sources by name; undefined if they were not kept. */
const partsOf = (identity: DatasetIdentity): ReadonlyMap<string, Parts> | undefined => {
  const found = new Map<string, Parts>()
  for (const split of splits) {
    const { sources } = identity[split]
    if (sources === undefined) return undefined
    for (const [i, { bytes, documents, name, sha256 }] of sources.entries()) {
      const other = found.get(name)
      const content = `${documents} ${sha256}`
      const positions = { ...other?.positions, [split]: i }
      found.set(
        name,
        other === undefined
          ? { name, content, bytes, splits: split, positions }
          : { name, content: `${other.content} ${content}`, bytes: other.bytes + bytes, splits: cut, positions }
      )
    }
  }
  return found
}

const countChanges = (before: DatasetIdentity, after: DatasetIdentity): ReadonlyArray<string> =>
  splits.flatMap((split) => {
    const [a, b] = [before[split], after[split]]
    if (a.digest === b.digest) return []
    const name = split === "train" ? "the training text" : "the held-out text"
    if (a.documents === undefined || b.documents === undefined) return [name]
    const counts = ({ bytes, documents }: SplitIdentity) => `${plural(documents ?? 0, "document")}, ${bytes ?? 0} bytes`
    return [`${name} (${counts(a)} → ${counts(b)})`]
  })

/** Names in a list that are shown; of more, the number. */
const SHOWN = 3

const listed = (what: string, names: ReadonlyArray<string>): string | undefined => {
  if (names.length === 0) return undefined
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : ""
  return `${what} ${names.slice(0, SHOWN).join(", ")}${more}`
}

/** Takes the documents of a split in order, and gives its identity at the end. */
const makeReader = () => {
  const whole = makeChain()
  const sources: Array<Source> = []
  const total = { documents: 0, bytes: 0, sources: 0 }
  let open: (Pick<Source, "name" | "file"> & { readonly chain: Chain; documents: number; bytes: number }) | undefined
  const close = Effect.suspend(() => {
    if (open === undefined) return Effect.void
    const { bytes, chain, documents, file, name } = open
    open = undefined
    total.sources += 1
    if (total.sources > mostSources) return Effect.void
    return Effect.map(chain.end, (sha256) => void sources.push({ name, file, documents, bytes, sha256 }))
  })
  const add = ({ id, source, text }: Text) =>
    Effect.gen(function* () {
      const name = source ?? id
      if (open?.name !== name) {
        yield* close
        open = { name, file: source !== undefined, chain: makeChain(), documents: 0, bytes: 0 }
      }
      const bytes = utf8(text)
      const digest = yield* sha256(bytes)
      for (const counts of [open, total]) {
        counts.documents += 1
        counts.bytes += bytes.length
      }
      yield* open.chain.add(digest)
      yield* whole.add(digest)
    })
  const end = Effect.gen(function* () {
    yield* close
    const { bytes, documents } = total
    // The chain of one document is its digest, so the number of documents is part of the digest of a split.
    const digest = hex(yield* sha256(utf8(`${documents} ${yield* whole.end}`)))
    return { digest, documents, bytes, ...(total.sources > mostSources ? {} : { sources }) } satisfies SplitIdentity
  })
  return { add, end }
}

/** Digests that are gathered before they are digested: the chain costs a fraction of what the documents do. */
const LINKS = 1024
const DIGEST_BYTES = 32

/**
 * Digests as one: of one digest the digest itself, of more the SHA-256 of the chain so far and the next 1,024 digests, and so on.
 */
interface Chain {
  readonly add: (digest: Uint8Array) => Effect.Effect<void>
  readonly end: Effect.Effect<string>
}

const makeChain = (): Chain => {
  let links: Array<Uint8Array> = []
  const fold = Effect.suspend(() =>
    Effect.map(sha256(joined(links)), (digest) => {
      links = [digest]
    })
  )
  return {
    add: (digest) => {
      links.push(digest)
      return links.length > LINKS ? fold : Effect.void
    },
    end: Effect.suspend(() => Effect.map(links.length === 1 ? Effect.void : fold, () => hex(joined(links))))
  }
}

const joined = (digests: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  const all = new Uint8Array(digests.length * DIGEST_BYTES)
  for (const [i, digest] of digests.entries()) all.set(digest, i * DIGEST_BYTES)
  return all
}

const encoder = new TextEncoder()
const utf8 = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text)

const hex = (digest: Uint8Array): string => Encoding.encodeHex(digest)

const sha256 = (bytes: Uint8Array<ArrayBuffer>) =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", bytes)),
    (digest) => new Uint8Array(digest)
  )
