/**
 * What can go wrong between a plugin's name in a config and its service. There is one class for each thing that the
 * user can do: correct a name, correct a config, fix what the plugin needs, remove a duplicate, change a version.
 */
import * as Schema from "effect/Schema"
import { ConfigIssue, linesOf } from "../config/ConfigIssue.ts"
import * as Excerpt from "../Excerpt.ts"
import * as ExitCode from "../ExitCode.ts"
import { plural } from "../Plural.ts"

/**
 * No plugin of that kind has the name. The name is wrong, or its package is neither a dependency of the project nor in
 * the config's `plugins:` list.
 */
export class UnknownPlugin extends Schema.TaggedError<UnknownPlugin>()("UnknownPlugin", {
  kind: Schema.String,
  name: Schema.String,
  available: Schema.Array(Schema.String),
  nearest: Schema.optional(Schema.String)
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    const hint = this.nearest === undefined ? "" : ` Did you mean ${this.nearest}?`
    const available = Excerpt.list(this.available) || "none"
    return `Unknown ${this.kind} "${Excerpt.of(this.name)}".${hint} Available: ${available}.`
  }
}

/** A plugin's config is wrong. Lists every wrong key. */
export class PluginConfigError extends Schema.TaggedError<PluginConfigError>()("PluginConfigError", {
  kind: Schema.String,
  name: Schema.String,
  issues: Schema.Array(ConfigIssue)
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    const lines = linesOf(this.issues).map((line) => `  ${line}`)
    return [`The config of ${this.kind} "${this.name}" has ${plural(this.issues.length, "error")}:`, ...lines].join(
      "\n"
    )
  }
}

/** A plugin could not make its service, although its config is valid: a missing file, a package that does not load. */
export class PluginInitError extends Schema.TaggedError<PluginInitError>()("PluginInitError", {
  kind: Schema.String,
  name: Schema.String,
  origin: Schema.String,
  cause: Schema.Defect
}) {
  get [ExitCode.symbol]() {
    return ExitCode.of(this.cause)
  }
  override get message() {
    const reason = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `${this.kind} "${this.name}" (${this.origin}) could not start: ${reason}`
  }
}

/**
 * The code of a plugin from another package threw, died, or gave a value of the wrong type while it was used. It is a defect of
 * that package, not of this program: the message names it.
 */
export class PluginFault extends Schema.TaggedError<PluginFault>()("PluginFault", {
  kind: Schema.String,
  name: Schema.String,
  origin: Schema.String,
  /** The member of the service that was used: `encode`. */
  member: Schema.String,
  details: Schema.String,
  /** What was thrown. */
  cause: Schema.optional(Schema.Defect)
}) {
  override get message() {
    return (
      `${this.kind} "${this.name}" (${this.origin}) failed in ${this.member}: ${this.details}. ` +
      `This is an error in ${this.origin}: report it to its author.`
    )
  }
}

/** Two plugins of one kind have the same name. */
export class DuplicatePlugin extends Schema.TaggedError<DuplicatePlugin>()("DuplicatePlugin", {
  kind: Schema.String,
  name: Schema.String,
  origins: Schema.Array(Schema.String)
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    return (
      `Two plugins have the name ${this.kind} "${this.name}": ${this.origins.join(" and ")}. ` +
      "Remove one of them. In TypeScript, `group.override(plugin)` replaces a plugin."
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
  /** The version that this program uses. */
  expected: Schema.Number
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    const older = this.plugin < this.expected ? `Update ${this.origin}` : "Update codex-ml"
    return (
      `${this.kind} "${this.name}" (${this.origin}) was written for version ${this.plugin} of the ${this.kind} ` +
      `interface, but this program uses version ${this.expected}. ${older}, or remove the plugin.`
    )
  }
}
