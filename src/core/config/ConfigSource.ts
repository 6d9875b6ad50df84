/**
 * Where config documents come from. It is all that composing (Config.ts) needs from outside. ConfigStore.ts in
 * src/services reads YAML files; tests serve documents from memory.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { ConfigError } from "./ConfigIssue.ts"
import type { MapNode, Node } from "./ConfigNode.ts"

/** A config file that was read. */
export interface Document {
  /** The file's path, relative to the working directory when it is inside. */
  readonly path: string
  readonly root: MapNode
  /** The argument of a `# @package …` comment at the top: `_global_`, or the dotted key for the content. */
  readonly packageName: string | undefined
}

/** Finds and reads config documents. */
export class ConfigSource extends Context.Tag("codex/ConfigSource")<ConfigSource, ConfigSource.Service>() {}

export declare namespace ConfigSource {
  interface Service {
    /** The document at a path. */
    readonly primary: (path: string) => Effect.Effect<Document, ConfigError>
    /** `group/name.yaml`, searched from the document that names it. Undefined when there is none. */
    readonly find: (group: string, name: string, from: Document) => Effect.Effect<Document | undefined, ConfigError>
    /** The names for which `find` finds a document of the group. */
    readonly names: (group: string, from: Document) => Effect.Effect<ReadonlyArray<string>>
    /** Parses a value of the command line: a YAML scalar or flow collection. */
    readonly parse: (text: string) => Effect.Effect<Node, ConfigError>
  }
}
