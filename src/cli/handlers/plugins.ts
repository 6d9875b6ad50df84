/**
 * Prints what the registry knows, as a table or as JSON; no plugin is loaded for it.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { nearest } from "../../core/config/ConfigIssue.ts"
import { UnknownPlugin } from "../../core/plugin/PluginError.ts"
import { type PluginInfo, Registry } from "../../core/plugin/Registry.ts"
import * as Layers from "../../jobs/Layers.ts"
import { table } from "../render/Table.ts"

export const run = (options: { readonly kind: Option.Option<string>; readonly json: boolean }) =>
  Effect.gen(function* () {
    const registry = yield* Registry
    if (Option.isSome(options.kind)) yield* checkKind(registry, options.kind.value)
    const found = registry.list(Option.getOrUndefined(options.kind))
    yield* Console.log(options.json ? JSON.stringify(found) : render(found))
  }).pipe(Effect.provide(Layers.registry()))

/** An empty list would read as "none installed", where the kind is mistyped. */
const checkKind = (registry: Registry.Service, kind: string): Effect.Effect<void, UnknownPlugin> => {
  const available = [...new Set(registry.list().map((plugin) => plugin.kind))]
  if (available.includes(kind)) return Effect.void
  const near = nearest(kind, available)
  return new UnknownPlugin({
    kind: "kind of plugin",
    name: kind,
    available,
    ...(near === undefined ? {} : { nearest: near })
  })
}

const render = (plugins: ReadonlyArray<PluginInfo>): string =>
  table(
    [{ title: "kind" }, { title: "name" }, { title: "from" }, { title: "description" }],
    plugins.map((plugin) => [plugin.kind, plugin.name, plugin.origin, plugin.description ?? ""])
  )
