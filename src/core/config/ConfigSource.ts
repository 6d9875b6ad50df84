/**
 * Where configs come from: the one thing that composing (Config.ts) needs from the outside, and the error of all of
 * it. services/ConfigStore.ts reads YAML files; a test may serve documents from memory.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as ExitCode from "../ExitCode.ts"
import { ConfigIssue } from "./ConfigIssue.ts"
import type { MapNode, Node } from "./ConfigNode.ts"

/** A config that cannot be used: every fault at once, one line each, with file and line. */
export class ConfigError extends Schema.TaggedError<ConfigError>()("ConfigError", {
  issues: Schema.Array(ConfigIssue)
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    return this.issues.map((issue) => issue.line).join("\n")
  }
}

/** One fault told in words. */
export const fault = (origin: string, details: string, path: ReadonlyArray<string> = []): ConfigError =>
  new ConfigError({ issues: [new ConfigIssue({ problem: "invalid", path, expected: "", got: "", details, origin })] })

export interface Document {
  /** The file as people call it: relative to the working directory when it is inside. */
  readonly path: string
  readonly root: MapNode
  /** What `# @package …` at the top says: `_global_`, or the dotted key under which the content goes. */
  readonly packageName: string | undefined
}

export class ConfigSource extends Context.Tag("codex/ConfigSource")<ConfigSource, ConfigSource.Service>() {}

export declare namespace ConfigSource {
  interface Service {
    readonly primary: (path: string) => Effect.Effect<Document, ConfigError>
    /** `group/name.yaml`, seen from the document that names it; undefined when there is none. */
    readonly find: (group: string, name: string, from: Document) => Effect.Effect<Document | undefined, ConfigError>
    /** The names that `find` would find in a group. */
    readonly names: (group: string, from: Document) => Effect.Effect<ReadonlyArray<string>>
    /** A value written on the command line: a YAML scalar or flow collection. */
    readonly parse: (text: string) => Effect.Effect<Node, ConfigError>
  }
}
