/**
 * What the compiler accepts and refuses about plugins and groups. The oracle is the compiler: `npm run typecheck` fails on a
 * `@ts-expect-error` that expects in vain and on an inferred type that differs. At run time there is next to nothing to do.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Plugin from "../../../src/core/plugin/Plugin.ts"
import * as PluginGroup from "../../../src/core/plugin/PluginGroup.ts"
import { Registry, type ResolveError } from "../../../src/core/plugin/Registry.ts"
import { Tokenizer } from "../../../src/core/Tokenizer.ts"

class VocabMissing extends Schema.TaggedError<VocabMissing>()("VocabMissing", { path: Schema.String }) {}
class Clock extends Context.Tag("test/Clock")<Clock, { readonly now: number }>() {}

const Toy = Plugin.make(Tokenizer.kind, "toy", {
  description: "every character is token 1",
  config: Schema.Struct({
    path: Schema.String,
    lower: Schema.optionalWith(Schema.Boolean, { default: () => false })
  }),
  make: ({ path, lower }) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const vocabulary = yield* Effect.mapError(fs.readFileString(path), () => new VocabMissing({ path }))
      yield* Effect.addFinalizer(() => Effect.void)
      const text = lower ? vocabulary.toLowerCase() : vocabulary
      return Tokenizer.make({
        vocabularySize: 2,
        byteLevel: false,
        specialTokens: {},
        endOfText: undefined,
        encode: (input) => new Int32Array(input.length).fill(1),
        decode: (ids) => Effect.succeed([...ids].map(() => text[0] ?? "").join("")),
        token: () => undefined,
        files: {}
      })
    })
})

const nothing = Plugin.make(Tokenizer.kind, "nothing", {
  description: "cannot be made",
  config: Schema.Struct({}),
  make: () => Effect.fail("no" as const)
})
const timed = Plugin.make(Tokenizer.kind, "toy", {
  description: "another toy",
  config: Schema.Struct({}),
  make: () => Effect.flatMap(Clock, () => Effect.fail("no" as const))
})

describe("Plugin types", () => {
  it("shows the errors and the needs of a plugin, without its Scope, in its layer", () => {
    expectTypeOf(Toy.layer({ path: "toy.txt" })).toEqualTypeOf<
      Layer.Layer<Tokenizer, VocabMissing | Plugin.PluginConfigError, FileSystem.FileSystem>
    >()
    expectTypeOf(Toy.key).toEqualTypeOf<"tokenizer/toy">()
    expect(Toy.key).toBe("tokenizer/toy")
  })

  it("refuses a wrong config", () => {
    // @ts-expect-error: path is a string
    Toy.layer({ path: 7 })
    // @ts-expect-error: path is missing
    Toy.layer({ lower: true })
    // @ts-expect-error: pathh is unknown
    Toy.layer({ path: "toy.txt", pathh: "toy.txt" })
  })

  it("refuses a maker that makes another kind's service", () => {
    Plugin.make(Tokenizer.kind, "wrong", {
      description: "no tokenizer",
      config: Schema.Struct({}),
      // @ts-expect-error: not a Tokenizer
      make: () => Effect.succeed({ encode: 1 })
    })
  })

  it("refuses a second plugin of one name", () => {
    const group = PluginGroup.make(nothing, Toy)
    // @ts-expect-error: the group has a plugin of this name; use override to replace it
    group.add(timed)
    // @ts-expect-error: the group has a plugin of this name; use override to replace it
    PluginGroup.make(nothing).merge(PluginGroup.make(nothing))
    // @ts-expect-error: the group has a plugin of this name; use override to replace it
    PluginGroup.make(nothing, Toy, timed)
    // @ts-expect-error: the group has no plugin of this name; use add
    PluginGroup.make(nothing).override(Toy)
    PluginGroup.make(nothing).merge(PluginGroup.make(Toy))
  })

  it("asks for what the members need, and for no more", () => {
    const group = PluginGroup.make(nothing).add(Toy)
    expectTypeOf(group.layer).toEqualTypeOf<
      Layer.Layer<Registry, Plugin.DuplicatePlugin | Plugin.ApiMismatch, FileSystem.FileSystem>
    >()
    expectTypeOf(PluginGroup.make(nothing, Toy).layer).toEqualTypeOf<typeof group.layer>()
    expectTypeOf(group.override(timed).layer).toEqualTypeOf<
      Layer.Layer<Registry, Plugin.DuplicatePlugin | Plugin.ApiMismatch, Clock>
    >()
    // @ts-expect-error: FileSystem is missing
    const closed: Effect.Effect<unknown, unknown> = Effect.provide(Registry, group.layer)
    expect(closed).toBeDefined()
  })

  it("types what is resolved by name through the kind", () => {
    expectTypeOf(Registry.layerOf(Tokenizer.kind, "toy", {})).toEqualTypeOf<
      Layer.Layer<Tokenizer, ResolveError, Registry>
    >()
  })
})
