/**
 * codex plugins list [--kind tokenizer] [--json]
 *
 *     $ codex plugins list --kind model
 *     kind   name     from   description
 *     model  decoder  codex  transformer decoder: GPT-2 and Llama families by config
 *
 * Listing loads no plugin.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { nearest } from "../../core/config/Suggestion.ts"
import type { PluginInfo } from "../../core/plugin/Registry.ts"
import { inSession, load } from "../Handler.ts"
import { json } from "../Options.ts"
import { table } from "../render/Table.ts"

const kind = Options.text("kind").pipe(
  Options.withDescription("Only plugins of this kind: tokenizer, model, dataset, metric, tracker, …"),
  Options.optional
)

export const list = Command.make(
  "list",
  { kind, json },
  inSession(({ json, kind }) =>
    Effect.gen(function* () {
      const [{ Registry }, { Environment }] = yield* load(() =>
        Promise.all([import("../../core/plugin/Registry.ts"), import("../../jobs/Environment.ts")])
      )
      const registry = yield* Effect.provide(Registry, Environment.registry())
      const plugins = registry.list()
      const chosen = Option.isNone(kind) ? plugins : yield* ofKind(plugins, kind.value)
      yield* Console.log(json ? JSON.stringify(chosen) : render(chosen))
    })
  )
).pipe(
  Command.withDescription(
    "List the plugins that configs can name: those of codex and those of this project's packages. " +
      "Example: codex plugins list --kind tokenizer"
  )
)

/** A kind without plugins is an error: an empty list would read as "none installed" where the kind is mistyped. */
const ofKind = (plugins: ReadonlyArray<PluginInfo>, kind: string) =>
  Effect.gen(function* () {
    const chosen = plugins.filter((plugin) => plugin.kind === kind)
    if (chosen.length > 0) return chosen
    const { UnknownPlugin } = yield* load(() => import("../../core/plugin/PluginError.ts"))
    const available = [...new Set(plugins.map((plugin) => plugin.kind))]
    const near = nearest(kind, available)
    return yield* new UnknownPlugin({
      kind: "kind of plugin",
      name: kind,
      available,
      ...(near === undefined ? {} : { nearest: near })
    })
  })

const render = (plugins: ReadonlyArray<PluginInfo>): string =>
  table(
    [{ title: "kind" }, { title: "name" }, { title: "from" }, { title: "description" }],
    plugins.map((plugin) => [plugin.kind, plugin.name, plugin.origin, plugin.description ?? ""])
  )
