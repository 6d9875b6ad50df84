/**
 * Sorting that can be interrupted: a merge sort of indexes that yields every some ten thousand comparisons.
 *
 * Array.sort would hold the thread for seconds on millions of words.
 */

const RUN = 1 << 12

/** The indexes below `count` in the order of `compare`; equal ones keep their order. */
export const sortIndexes = function* (
  count: number,
  compare: (a: number, b: number) => number
): Generator<undefined, Int32Array<ArrayBuffer>, void> {
  let from = new Int32Array(count)
  for (let i = 0; i < count; i++) from[i] = i
  for (let start = 0; start < count; start += RUN) {
    from.subarray(start, start + RUN).sort(compare)
    yield
  }
  let to = new Int32Array(count)
  let steps = 0
  for (let width = RUN; width < count; width *= 2) {
    for (let start = 0; start < count; start += 2 * width) {
      const middle = Math.min(start + width, count)
      const end = Math.min(start + 2 * width, count)
      let [left, right] = [start, middle]
      for (let at = start; at < end; at++) {
        const takeLeft = right === end || (left < middle && compare(from[left]!, from[right]!) <= 0)
        to[at] = takeLeft ? from[left++]! : from[right++]!
        if (++steps % (8 * RUN) === 0) yield
      }
    }
    ;[from, to] = [to, from]
  }
  return from
}
