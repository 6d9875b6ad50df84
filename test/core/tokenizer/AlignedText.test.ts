/**
 * Replacing a unit. Oracle: `replaceAll`, on texts below and above the length from which all units are rewritten.
 */
import { expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { replaceUnit } from "../../../src/core/tokenizer/AlignedText.ts"

it.prop(
  "gives what replaceAll gives",
  [
    FastCheck.array(FastCheck.constantFrom("a", " ", "é", "😀", "\0", "\uFEFF", "$&", "▁"), { maxLength: 8 }),
    FastCheck.constantFrom(1, 40_000)
  ],
  ([parts, times]) => {
    const text = parts.join("").repeat(times)
    for (const from of [" ", "a", "\0"]) expect(replaceUnit(text, from, "▁") === text.replaceAll(from, "▁")).toBe(true)
  }
)
