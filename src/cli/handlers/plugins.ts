/**
 * Prints what the registry knows, as a table or as JSON; no plugin is loaded for it.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Plugin from "../../core/Plugin.ts"
import { type PluginInfo, Registry } from "../../core/Registry.ts"
import { table } from "../Table.ts"

export const run = (options: { readonly kind: Option.Option<string>; readonly json: boolean }) =>
  Effect.gen(function* () {
    const registry = yield* Registry
    const found = registry.list(Option.getOrUndefined(options.kind))
    yield* Console.log(options.json ? JSON.stringify(found) : render(found))
  }).pipe(Effect.provide(Plugin.group().layer))

const render = (plugins: ReadonlyArray<PluginInfo>): string =>
  table(
    [{ title: "kind" }, { title: "name" }, { title: "from" }, { title: "description" }],
    plugins.map((plugin) => [plugin.kind, plugin.name, plugin.origin, plugin.description ?? ""])
  )
