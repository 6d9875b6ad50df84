/**
 * Every key that may be written in the config of a run, those of the plugins that it names included. Errors take their suggestions
 * from these, so a suggestion is always accepted.
 */
import * as Effect from "effect/Effect"
import * as Config from "../core/config/Config.ts"
import type { KeyPath } from "../core/config/ConfigKeys.ts"
import * as Node from "../core/config/ConfigNode.ts"
import { pluginOf } from "../core/config/PluginSections.ts"
import { Dataset } from "../core/Dataset.ts"
import { Model } from "../core/Model.ts"
import { Registry } from "../core/plugin/Registry.ts"
import { Tokenizer } from "../core/Tokenizer.ts"
import { TokenizerTrainer } from "../core/TokenizerTrainer.ts"
import { Tracker } from "../core/Tracker.ts"

interface Section {
  readonly kind: string
  readonly path: KeyPath
  /** The plugin; undefined if the config names none. */
  readonly name: string | undefined
}

const sectionsOf = ({ root }: Config.Composed): ReadonlyArray<Section> => {
  const tracking = Node.get(root, ["tracking"])
  const tokenizer = pluginOf(root, ["tokenizer"])
  return [
    { kind: Model.kind.name, path: ["model"], name: pluginOf(root, ["model"]) },
    { kind: Dataset.kind.name, path: ["data"], name: pluginOf(root, ["data"]) },
    { kind: Tokenizer.kind.name, path: ["tokenizer"], name: tokenizer },
    { kind: TokenizerTrainer.kind.name, path: ["tokenizer", "train"], name: tokenizer },
    ...(tracking?._tag === "Map" ? [...tracking.entries.keys()] : []).map((name) => ({
      kind: Tracker.kind.name,
      path: ["tracking", name],
      name
    }))
  ]
}

/** The keys of the plugins that a config names. A plugin that is missing or does not load has none here; that is another error. */
export const ofPlugins = (composed: Config.Composed): Effect.Effect<ReadonlyArray<KeyPath>, never, Registry> =>
  Effect.gen(function* () {
    const registry = yield* Registry
    const found = yield* Effect.forEach(sectionsOf(composed), ({ kind, name, path }) =>
      name === undefined
        ? Effect.succeed([])
        : registry.keys(kind, name).pipe(
            Effect.map((keys) => keys.map((key) => [...path, ...key])),
            Effect.orElseSucceed(() => [])
          )
    )
    return found.flat()
  })

/** Replaces the suggestions of an error by the best of all keys of the schema, of the config and of its plugins. */
export const suggest =
  (composed: Config.Composed, own: ReadonlyArray<KeyPath>) =>
  (error: Config.ConfigError): Effect.Effect<never, Config.ConfigError, Registry> =>
    Effect.flatMap(ofPlugins(composed), (more) =>
      Config.suggest(error, [...own, ...more, ...Node.pathsOf(composed.root)])
    )
