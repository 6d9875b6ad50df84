/**
 * Binary heaps of numbers: `pop` gives an item that no other item precedes, in the order of the caller or ascending.
 */
export interface Heap {
  readonly size: () => number
  readonly push: (item: number) => void
  /** The first item, which stays in the heap. Undefined when the heap is empty. */
  readonly peek: () => number | undefined
  readonly pop: () => number | undefined
  /** Restores the order after the caller changed the rank of the first item. */
  readonly sinkFirst: () => void
}

/** A heap of initial items, built in linear time. */
export const make = (precedes: (a: number, b: number) => boolean, initial: ReadonlyArray<number> = []): Heap => {
  const items = [...initial]

  const sink = (from: number) => {
    const item = items[from]!
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && precedes(items[child + 1]!, items[child]!)) child++
      if (!precedes(items[child]!, item)) break
      items[at] = items[child]!
      at = child
    }
    items[at] = item
  }

  for (let at = (items.length >> 1) - 1; at >= 0; at--) sink(at)

  return {
    size: () => items.length,
    peek: () => items[0],
    push: (item) => {
      let at = items.length
      items.push(item)
      while (at > 0) {
        const parent = (at - 1) >> 1
        if (!precedes(item, items[parent]!)) break
        items[at] = items[parent]!
        at = parent
      }
      items[at] = item
    },
    pop: () => {
      const first = items[0]
      const last = items.pop()
      if (items.length > 0 && last !== undefined) {
        items[0] = last
        sink(0)
      }
      return first
    },
    sinkFirst: () => {
      if (items.length > 0) sink(0)
    }
  }
}

/** A heap of ascending numbers. */
export interface AscendingHeap {
  readonly push: (item: number) => void
  readonly pop: () => number | undefined
}

/** A heap that gives the smallest number first, for innermost loops: it calls no comparison function. */
export const makeAscending = (initial: ArrayLike<number>): AscendingHeap => {
  let size = initial.length
  let items = new Float64Array(Math.max(16, size))
  items.set(initial)

  const sink = (from: number) => {
    const item = items[from]!
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= size) break
      if (child + 1 < size && items[child + 1]! < items[child]!) child++
      if (items[child]! >= item) break
      items[at] = items[child]!
      at = child
    }
    items[at] = item
  }

  for (let at = (size >> 1) - 1; at >= 0; at--) sink(at)

  return {
    push: (item) => {
      if (size === items.length) {
        const larger = new Float64Array(2 * size)
        larger.set(items)
        items = larger
      }
      let at = size++
      while (at > 0) {
        const parent = (at - 1) >> 1
        if (items[parent]! <= item) break
        items[at] = items[parent]!
        at = parent
      }
      items[at] = item
    },
    pop: () => {
      if (size === 0) return undefined
      const first = items[0]!
      size--
      if (size > 0) {
        items[0] = items[size]!
        sink(0)
      }
      return first
    }
  }
}
