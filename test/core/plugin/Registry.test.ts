/**
 * The registry: names, configs, versions, sharing, foreign plugins. Oracles: the messages as written down beforehand, and
 * the full list of what was acquired and released. Needs nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Plugin from "../../../src/core/plugin/Plugin.ts"
import * as PluginGroup from "../../../src/core/plugin/PluginGroup.ts"
import { type Discovered, Registry } from "../../../src/core/plugin/Registry.ts"

class Greeter extends Context.Tag("test/Greeter")<Greeter, { readonly greet: string }>() {}
class Journal extends Context.Tag("test/Journal")<Journal, Array<string>>() {}
const GreeterKind = Plugin.kind("greeter", { api: 2, tag: Greeter })

const Config = Schema.Struct({
  word: Schema.String.annotations({ description: "the word to say" }),
  times: Schema.optionalWith(Schema.Int.pipe(Schema.between(1, 9)), { default: () => 1 }),
  style: Schema.optional(Schema.Literal("loud", "soft")),
  nested: Schema.optional(Schema.Struct({ deep: Schema.Array(Schema.Number) }))
})

const hello = Plugin.make(GreeterKind, "hello", {
  description: "says a word",
  config: Config,
  make: ({ word, times }) =>
    Effect.gen(function* () {
      const journal = yield* Journal
      yield* Effect.acquireRelease(
        Effect.sync(() => journal.push(`+${word}`)),
        () => Effect.sync(() => journal.push(`-${word}`))
      )
      if (word === "fail") return yield* Effect.fail(new Error("no such word"))
      return { greet: Array.from({ length: times }, () => word).join(" ") }
    })
})
const silent = Plugin.make(GreeterKind, "silent", {
  description: "says nothing",
  config: Schema.Struct({}),
  make: () => Effect.succeed({ greet: "" })
})

const group = PluginGroup.make(hello, silent)
const withJournal = <A, E>(test: (journal: Array<string>) => Effect.Effect<A, E, Registry | Scope.Scope>) => {
  const journal: Array<string> = []
  return test(journal).pipe(Effect.provide(Layer.provide(group.layer, Layer.succeed(Journal, journal))))
}
const foreign = (overrides: Partial<Discovered>): Discovered => ({
  kind: "greeter",
  name: "emoji",
  api: 2,
  origin: "codex-emoji@1.0.0",
  description: "smiles",
  load: Effect.die("not needed"),
  ...overrides
})
const runWith = <A, E>(discovered: ReadonlyArray<Discovered>, program: Effect.Effect<A, E, Registry | Scope.Scope>) =>
  program.pipe(Effect.provide(Layer.provide(group.layerWith(discovered), Layer.succeed(Journal, []))))

describe("Registry", () => {
  it.scoped("makes a plugin's service by name, as a layer", () =>
    withJournal(() =>
      Effect.gen(function* () {
        const { greet } = yield* Greeter
        expect(greet).toBe("hi hi")
      }).pipe(Effect.provide(Registry.layerOf(GreeterKind, "hello", { word: "hi", times: 2 })))
    )
  )

  it.scoped("names what is near and what there is for an unknown name", () =>
    withJournal(() =>
      Effect.gen(function* () {
        const registry = yield* Registry
        const near = yield* Effect.flip(registry.resolve(GreeterKind, "helo", {}))
        expect(near.message).toBe('Unknown greeter "helo". Did you mean hello? Available: hello, silent.')
        const far = yield* Effect.flip(registry.resolve(GreeterKind, "zzzzzzzz", {}))
        expect(far.message).toBe('Unknown greeter "zzzzzzzz". Available: hello, silent.')
        expect(far._tag).toBe("UnknownPlugin")
      })
    ).pipe(Effect.scoped)
  )

  it.scoped("reports every fault of a config at once, with path, expectation and nearest key", () =>
    withJournal((journal) =>
      Effect.gen(function* () {
        const registry = yield* Registry
        const config = { wrod: "hi", times: 12, style: "lound", nested: { deep: [1, "2"] } }
        const error = yield* Effect.flip(registry.resolve(GreeterKind, "hello", config))
        expect(error.message.split("\n")).toEqual([
          'The config of greeter "hello" has 5 errors:',
          "  wrod is unknown; did you mean word?",
          "  word is missing; expected a string",
          "  times: expected an integer ≥ 1 and ≤ 9, got 12",
          '  style: expected "loud" | "soft", got "lound"; did you mean loud?',
          '  nested.deep[1]: expected a number, got "2"'
        ])
        const whole = yield* Effect.flip(registry.decode(GreeterKind, "silent", { a: 1 }))
        expect(whole.message).toBe('The config of greeter "silent" has 1 error:\n  a is unknown; known: none')
        const list = yield* Effect.flip(registry.decode(GreeterKind, "hello", [1]))
        expect(list.message).toContain("the config: expected a map with the keys word, times, style, nested, got [1]")
        expect(journal).toEqual([])
      })
    ).pipe(Effect.scoped)
  )

  it.scoped("gives a static layer the same error", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Layer.build(hello.layer({ word: "hi", times: 0.5 })))
      expect(error.message).toBe(
        'The config of greeter "hello" has 1 error:\n  times: expected an integer ≥ 1 and ≤ 9, got 0.5'
      )
    }).pipe(Effect.provideService(Journal, []), Effect.scoped)
  )

  it.scoped("says why a plugin could not start, releases what it had, and tries again when asked again", () =>
    withJournal((journal) =>
      Effect.gen(function* () {
        const registry = yield* Registry
        const once = Effect.scoped(Effect.flip(registry.resolve(GreeterKind, "hello", { word: "fail" })))
        const error = yield* once
        expect(error.message).toBe('greeter "hello" (this program) could not start: no such word')
        expect(error._tag).toBe("PluginInitError")
        yield* once
        expect(journal).toEqual(["+fail", "-fail", "+fail", "-fail"])
      })
    )
  )

  it.scoped("shares one instance between equal configs until the last user is gone", () =>
    withJournal((journal) =>
      Effect.gen(function* () {
        const registry = yield* Registry
        const [first, second] = [yield* Scope.make(), yield* Scope.make()]
        const use = (scope: Scope.CloseableScope, config: unknown) =>
          Scope.extend(registry.resolve(GreeterKind, "hello", config), scope)
        const a = yield* use(first, { word: "hi", nested: { deep: [1, 2] } })
        const b = yield* use(second, { nested: { deep: [1, 2] }, times: 1, word: "hi" })
        expect(b).toBe(a)
        yield* use(second, { word: "ho", nested: { deep: [1, 2] } })
        yield* use(second, { word: "hi", nested: { deep: [2, 1] } })
        expect(journal).toEqual(["+hi", "+ho", "+hi"])
        yield* Scope.close(first, Exit.void)
        expect(journal).toEqual(["+hi", "+ho", "+hi"])
        yield* Scope.close(second, Exit.void)
        expect(journal).toEqual(["+hi", "+ho", "+hi", "-hi", "-ho", "-hi"])
      })
    )
  )

  it.scoped("lists metadata with the JSON Schema of the config, and loads nothing", () =>
    runWith(
      [foreign({})],
      Effect.gen(function* () {
        const registry = yield* Registry
        const list = registry.list("greeter")
        expect(list.map(({ key, api, origin, description }) => [key, api, origin, description])).toEqual([
          ["greeter/emoji", 2, "codex-emoji@1.0.0", "smiles"],
          ["greeter/hello", 2, "this program", "says a word"],
          ["greeter/silent", 2, "this program", "says nothing"]
        ])
        expect(list[1]?.config).toMatchObject({
          type: "object",
          required: ["word"],
          additionalProperties: false,
          properties: { word: { type: "string", description: "the word to say" }, style: { enum: ["loud", "soft"] } }
        })
        expect(registry.list("model")).toEqual([])
        expect(registry.list()).toHaveLength(3)
      })
    )
  )

  it.scoped("uses a discovered plugin, which shares the kind by name and version only", () => {
    const ForeignKind = Plugin.kind("greeter", {
      api: 2,
      tag: class extends Context.Tag("test/Greeter")<"other copy", { readonly greet: string }>() {}
    })
    const emoji = Plugin.make(ForeignKind, "emoji", {
      description: "smiles often",
      config: Schema.Struct({ face: Schema.String }),
      make: ({ face }) => Effect.succeed({ greet: face })
    })
    return runWith(
      [foreign({ load: Effect.succeed(emoji) })],
      Effect.gen(function* () {
        const registry = yield* Registry
        const service = yield* registry.resolve(GreeterKind, "emoji", { face: ":)" })
        expect(service.greet).toBe(":)")
        const info = yield* registry.describe("greeter", "emoji")
        expect(info).toMatchObject({ description: "smiles often", config: { required: ["face"] } })
      }).pipe(Effect.scoped)
    )
  })

  it.scoped("turns whatever a discovered plugin does wrong into an error that names its package", () => {
    const broken = (make: () => Effect.Effect<{ readonly greet: string }, never, Journal | Missing>) =>
      foreign({
        load: Effect.succeed(Plugin.make(GreeterKind, "emoji", { description: "", config: Schema.Struct({}), make }))
      })
    class Missing extends Context.Tag("test/Missing")<Missing, string>() {}
    const failure = (found: Discovered) =>
      runWith(
        [found],
        Effect.flatMap(Registry, (registry) => Effect.flip(registry.resolve(GreeterKind, "emoji", {})))
      ).pipe(Effect.scoped)
    return Effect.gen(function* () {
      const died = yield* failure(broken(() => Effect.die(new Error("oops"))))
      expect(died.message).toBe('greeter "emoji" (codex-emoji@1.0.0) could not start: oops')
      const threw = yield* failure(
        broken(() => {
          throw new Error("thrown")
        })
      )
      expect(threw.message).toContain("could not start: thrown")
      const needy = yield* failure(broken(() => Effect.map(Missing, (greet) => ({ greet }))))
      expect(needy.message).toContain("could not start: Service not found: test/Missing")
      const unloadable = yield* failure(foreign({ load: Effect.fail(new Error("no such file")) }))
      expect(unloadable.message).toContain("could not start: no such file")
      const other = Plugin.make(Plugin.kind("greeter", { api: 2, tag: Journal }), "emoji", {
        description: "",
        config: Schema.Struct({}),
        make: () => Effect.succeed([])
      })
      const wrongTag = yield* failure(foreign({ load: Effect.succeed(other) }))
      expect(wrongTag.message).toContain("its make did not give a test/Greeter service")
    })
  })

  it.scoped("refuses two plugins of one name, with both origins", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(runWith([foreign({ name: "hello" })], Registry))
      expect(error.message).toBe(
        'Two plugins have the name greeter "hello": this program and codex-emoji@1.0.0. ' +
          "Remove one of them. In TypeScript, `group.override(plugin)` replaces a plugin."
      )
      const untyped: ReadonlyArray<typeof silent> = [silent, silent]
      const again = yield* Effect.flip(Effect.provide(Registry, PluginGroup.make(...untyped).from("a copy").layer))
      expect(again.message).toContain('greeter "silent": a copy and a copy.')
    })
  )

  it.scoped("refuses a plugin for another version of its kind, and names both versions", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(runWith([foreign({ api: 1 })], Registry))
      expect(error.message).toBe(
        'greeter "emoji" (codex-emoji@1.0.0) was written for version 1 of the greeter interface, but this program uses ' +
          "version 2. Update codex-emoji@1.0.0, or remove the plugin."
      )
      const newer = Plugin.kind("greeter", { api: 3, tag: Greeter })
      const late = yield* Effect.flip(
        runWith(
          [],
          Effect.flatMap(Registry, (registry) => registry.decode(newer, "hello", { word: "" }))
        )
      )
      expect(late).toMatchObject({ _tag: "ApiMismatch", plugin: 2, expected: 3 })
    })
  )

  it.scoped("replaces with override", () => {
    const louder = Plugin.make(GreeterKind, "hello", {
      description: "shouts",
      config: Schema.Struct({}),
      make: () => Effect.succeed({ greet: "HELLO" })
    })
    return Effect.gen(function* () {
      const registry = yield* Registry
      expect((yield* registry.resolve(GreeterKind, "hello", {})).greet).toBe("HELLO")
      expect(registry.list()).toHaveLength(2)
    }).pipe(Effect.scoped, Effect.provide(group.override(louder).layer))
  })
})
