/**
 * What can go wrong between a plugin's name in a config and the service it makes. One class for each decision of
 * the reader: correct a name, correct a config, mend the surroundings of a plugin, remove a duplicate, change a
 * version.
 */
import * as Schema from "effect/Schema"
import { ConfigIssue } from "../config/ConfigIssue.ts"

/**
 * No plugin of that kind has the name. The name is wrong, or its package is neither declared nor listed under
 * `plugins:`.
 */
export class UnknownPlugin extends Schema.TaggedError<UnknownPlugin>()("UnknownPlugin", {
  kind: Schema.String,
  name: Schema.String,
  available: Schema.Array(Schema.String),
  nearest: Schema.optional(Schema.String)
}) {
  override get message() {
    const hint = this.nearest === undefined ? "" : ` Did you mean ${this.nearest}?`
    return `Unknown ${this.kind} "${this.name}".${hint} Available: ${this.available.join(", ") || "none"}.`
  }
}

/** A plugin's config is wrong: every wrong key at once. */
export class PluginConfigError extends Schema.TaggedError<PluginConfigError>()("PluginConfigError", {
  kind: Schema.String,
  name: Schema.String,
  issues: Schema.Array(ConfigIssue)
}) {
  override get message() {
    const count = this.issues.length === 1 ? "1 error" : `${this.issues.length} errors`
    const lines = this.issues.map((issue) => `  ${issue.line}`)
    return [`The config of ${this.kind} "${this.name}" has ${count}:`, ...lines].join("\n")
  }
}

/**
 * A plugin with a good config could not make its service: a missing file, a port in use, a package that does not
 * load.
 */
export class PluginInitError extends Schema.TaggedError<PluginInitError>()("PluginInitError", {
  kind: Schema.String,
  name: Schema.String,
  origin: Schema.String,
  cause: Schema.Defect
}) {
  override get message() {
    const reason = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `${this.kind} "${this.name}" (${this.origin}) could not start: ${reason}`
  }
}

/** Two plugins of one kind have the same name. Remove one, or replace on purpose with `override`. */
export class DuplicatePlugin extends Schema.TaggedError<DuplicatePlugin>()("DuplicatePlugin", {
  kind: Schema.String,
  name: Schema.String,
  origins: Schema.Array(Schema.String)
}) {
  override get message() {
    return (
      `Two plugins are called ${this.kind} "${this.name}": ${this.origins.join(" and ")}. ` +
      "Remove one of them; in TypeScript, `group.override(plugin)` replaces on purpose."
    )
  }
}

/** A plugin was written for another version of its kind's interface. */
export class ApiMismatch extends Schema.TaggedError<ApiMismatch>()("ApiMismatch", {
  kind: Schema.String,
  name: Schema.String,
  origin: Schema.String,
  /** The version the plugin was written for. */
  plugin: Schema.Number,
  /** The version this program speaks. */
  expected: Schema.Number
}) {
  override get message() {
    const older = this.plugin < this.expected ? `Update ${this.origin}` : "Update codex-ml"
    return (
      `${this.kind} "${this.name}" (${this.origin}) was written for version ${this.plugin} of the ${this.kind} ` +
      `interface; this program speaks version ${this.expected}. ${older}, or remove the plugin.`
    )
  }
}
