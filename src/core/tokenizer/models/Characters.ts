/**
 * The characters of a word as the symbols that byte-pair encoding begins with.
 *
 * A character that is no token becomes the tokens of its bytes if all of them exist, else the unknown token, else nothing.
 * As in Hugging Face's library an unknown token waits for the next character that is a token (so that it can be fused with
 * the ones that follow), and tokens of bytes overtake it.
 */
import * as ByteWords from "./ByteWords.ts"
import type { Segment } from "./CachedModel.ts"
import { Segments } from "./Segments.ts"

export interface Rules {
  readonly idOf: (token: string) => number | undefined
  /** Ids of the characters of the basic plane by code point, −1 for those that are no token. */
  readonly characters: Int32Array
  /** Put before every character but the first, and after the last one, before it is looked up; "" for nothing. */
  readonly prefix: string
  readonly suffix: string
  /** Ids of the 256 bytes, −1 for missing ones; undefined without byte fallback. */
  readonly byteIds: Int32Array | undefined
  /** −1 for none. */
  readonly unknown: number
  readonly fuseUnknown: boolean
}

export const ofBasicPlane = (tokens: ReadonlyArray<string | undefined>): Int32Array => {
  const characters = new Int32Array(1 << 16).fill(-1)
  tokens.forEach((token, id) => {
    if (token?.length === 1) characters[token.charCodeAt(0)] = id
  })
  return characters
}

export const load = ({ byteIds, characters, fuseUnknown, idOf, prefix, suffix, unknown }: Rules): Segment => {
  const bytes = new Segments()

  const find = (text: string, from: number, to: number, first: boolean, last: boolean): number => {
    const before = first ? "" : prefix
    const after = last ? suffix : ""
    if (to - from === 1 && before === "" && after === "") return characters[text.charCodeAt(from)]!
    return idOf(before + text.slice(from, to) + after) ?? -1
  }

  /** Appends the tokens of the bytes of a character and what stands around it, or tells that some do not exist. */
  const pushBytes = (written: string, from: number, to: number, output: Segments): boolean => {
    if (byteIds === undefined) return false
    bytes.clear()
    ByteWords.pushBytes(written, 0, written.length, bytes)
    for (let i = 0; i < bytes.length; i++) if (byteIds[bytes.ids[i]!]! < 0) return false
    for (let i = 0; i < bytes.length; i++) output.push(byteIds[bytes.ids[i]!]!, from, to)
    return true
  }

  return (text, start, end, output) => {
    let waiting = false
    let waitingFrom = 0
    let waitingTo = 0
    for (let at = start, next = start; at < end; at = next) {
      const unit = text.charCodeAt(at)
      next = unit >= 0xd800 && unit < 0xdc00 && at + 1 < end ? at + 2 : at + 1
      const first = at === start
      const last = next === end
      const from = at - start
      const to = next - start
      const id = find(text, at, next, first, last)
      if (id >= 0) {
        if (waiting) output.push(unknown, waitingFrom, waitingTo)
        waiting = false
        output.push(id, from, to)
        continue
      }
      if (byteIds !== undefined) {
        const written = (first ? "" : prefix) + text.slice(at, next) + (last ? suffix : "")
        if (pushBytes(written, from, to, output)) continue
      }
      if (unknown < 0) continue
      if (waiting && !fuseUnknown) output.push(unknown, waitingFrom, waitingTo)
      if (!waiting || !fuseUnknown) waitingFrom = from
      waiting = true
      waitingTo = to
    }
    if (waiting) output.push(unknown, waitingFrom, waitingTo)
  }
}
