/**
 * Finds plugins in installed packages. A package declares its plugins in its package.json, so finding them imports
 * nothing:
 *
 *     "codex": { "api": 1, "plugins": { "tokenizer/emoji": "./plugin.js#Emoji" } }
 *
 * The project itself is searched, the dependencies that its package.json declares, and the packages in the config's
 * `plugins:` list. node_modules is not searched, so a dependency of a dependency cannot add plugins. The code of a plugin
 * is imported when the plugin is first used. The file must be inside the package (links are resolved) and must export
 * the plugin that the manifest declares. A package may be a link to a folder elsewhere (LinkedPackage.ts).
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as ConfigIssue from "../../core/config/ConfigIssue.ts"
import * as Json from "../../core/data/Json.ts"
import * as ExitCode from "../../core/ExitCode.ts"
import * as FilePattern from "../../core/plugin/FilePattern.ts"
import * as Plugin from "../../core/plugin/Plugin.ts"
import type { Discovered } from "../../core/plugin/Registry.ts"
import * as TextFile from "../files/TextFile.ts"
import { resolveFromLink } from "./LinkedPackage.ts"

/** A package.json that cannot be used, or a package of the config's `plugins:` list that declares no plugins. */
export class PluginManifestError extends Schema.TaggedError<PluginManifestError>()("PluginManifestError", {
  reason: Schema.Literal("NotInstalled", "NoManifest", "Invalid", "Unreadable"),
  package: Schema.String,
  /** The package.json, if there is one. */
  file: Schema.optional(Schema.String),
  details: Schema.optional(Schema.String)
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message(): string {
    const name = this.package
    const where = this.file ?? name
    const texts = {
      NotInstalled:
        `plugins: the package ${name} is not installed. ` +
        `Install it (npm install ${name}), or remove it from the list.`,
      NoManifest: `plugins: ${name} has no plugins (no "codex" section in ${where}). Remove it from the list.`,
      Invalid: `${where}: the "codex" section is not valid:\n${this.details}\nUpdate ${name}, or report this to its author.`,
      Unreadable: `${where} cannot be read: ${this.details}`
    }
    return texts[this.reason]
  }
}

/** The code of a plugin cannot be loaded, or is not what the manifest declares. */
export class PluginLoadError extends Schema.TaggedError<PluginLoadError>()("PluginLoadError", {
  reason: Schema.Literal("Missing", "Outside", "Effect", "Import", "Export", "Key"),
  package: Schema.String,
  /** As in the manifest: `./plugin.js#Emoji`. */
  reference: Schema.String,
  details: Schema.String,
  /** What the code threw when it was imported. */
  cause: Schema.optional(Schema.Defect)
}) {
  override get message() {
    return `${this.package} declares ${this.reference}, but ${this.details}. Update the package, or report this to its author.`
  }
}

/** The major version of effect that this package is built with. Its values do not work with those of another one. */
const effectMajor = "3"

const Reference = Schema.String.pipe(
  Schema.pattern(/^\.\/[^#]+#[A-Za-z_$][\w$]*$/, { description: "a reference such as ./plugin.js#Emoji" })
)
const Key = Schema.String.pipe(Schema.pattern(/^[a-z][\w-]*\/[a-z0-9][\w.-]*$/i))

const Manifest = Schema.Struct({
  /** The version of the kinds' interfaces that the plugins were written for. */
  api: Schema.Int,
  plugins: Schema.Record({
    key: Key,
    value: Schema.Union(
      Reference,
      Schema.Struct({
        module: Reference,
        description: Schema.optional(Schema.String),
        api: Schema.optional(Schema.Int),
        /** The files that the plugin reads, as in its code: opening a path must not load it. */
        reads: Schema.optional(FilePattern.Declared)
      })
    )
  })
})

const Dependencies = Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
const PackageJson = Schema.Struct({
  name: Schema.optional(Schema.String),
  version: Schema.optional(Schema.String),
  description: Schema.optional(Schema.String),
  dependencies: Dependencies,
  devDependencies: Dependencies,
  optionalDependencies: Dependencies,
  peerDependencies: Dependencies,
  codex: Schema.optional(Schema.Unknown)
})

interface Package {
  readonly directory: string
  readonly file: string
  readonly json: typeof PackageJson.Type
}

/** Options of {@link discover}. */
export interface Options {
  /** The directory that contains the project's package.json, or one below it. */
  readonly directory: string
  /** The config's `plugins:` list: names of packages. */
  readonly plugins: ReadonlyArray<string>
}

/** The plugins that the project, its dependencies and the listed packages declare. Nothing is imported. */
export const discover = (
  options: Options
): Effect.Effect<ReadonlyArray<Discovered>, PluginManifestError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const above = ancestors(path, path.resolve(options.directory))
    const project = yield* firstPackage(above)
    const declared = project === undefined ? [] : declaredBy(project)
    const found: Array<Discovered> = project === undefined ? [] : [...(yield* pluginsOf(project, false))]
    for (const name of new Set([...declared, ...options.plugins])) {
      const listed = options.plugins.includes(name)
      const installed = isPackageName(name)
        ? yield* firstPackage(above.map((directory) => path.join(directory, "node_modules", name)))
        : undefined
      if (installed !== undefined) found.push(...(yield* pluginsOf(installed, listed)))
      else if (listed) return yield* new PluginManifestError({ reason: "NotInstalled", package: name })
    }
    return found
  })

/** A path in the list of packages would let a config choose code to run, so only names are accepted. */
const isPackageName = (name: string): boolean => /^(@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~-][\w.~-]*$/i.test(name)

const ancestors = (path: Path.Path, directory: string): ReadonlyArray<string> => {
  const parent = path.dirname(directory)
  return parent === directory ? [directory] : [directory, ...ancestors(path, parent)]
}

const declaredBy = ({ json }: Package): ReadonlyArray<string> =>
  [json.dependencies, json.devDependencies, json.optionalDependencies, json.peerDependencies].flatMap((group) =>
    Object.keys(group ?? {})
  )

/** The package of the first directory that has a package.json. */
const firstPackage = (
  directories: ReadonlyArray<string>
): Effect.Effect<Package | undefined, PluginManifestError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    for (const directory of directories) {
      const file = path.join(directory, "package.json")
      if (!(yield* Effect.orElseSucceed(fs.exists(file), () => false))) continue
      const json = yield* TextFile.read(fs, file).pipe(
        Effect.flatMap(Schema.decode(Json.schema(PackageJson))),
        Effect.mapError(
          ({ message }) =>
            new PluginManifestError({ reason: "Unreadable", package: path.basename(directory), file, details: message })
        )
      )
      return { directory, file, json }
    }
    return undefined
  })

const pluginsOf = (
  { directory, file, json }: Package,
  listed: boolean
): Effect.Effect<ReadonlyArray<Discovered>, PluginManifestError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const name = json.name ?? path.basename(directory)
    // Other tools may use a section of this name. One without `plugins` is not ours.
    if (!Predicate.hasProperty(json.codex, "plugins")) {
      return listed ? yield* new PluginManifestError({ reason: "NoManifest", package: name, file }) : []
    }
    const manifest = yield* Schema.decodeUnknown(Manifest, { errors: "all", onExcessProperty: "error" })(
      json.codex
    ).pipe(
      Effect.mapError((error) => {
        const details = ConfigIssue.fromParseError(error).map((issue) => `  ${issue.line}`)
        return new PluginManifestError({ reason: "Invalid", package: name, file, details: details.join("\n") })
      })
    )
    const origin = json.version === undefined ? name : `${name}@${json.version}`
    // Once for a package, however often its plugins are loaded.
    const link = yield* Effect.cached(
      Effect.flatMap(
        Effect.orElseSucceed(fs.realPath(directory), () => directory),
        (home) => resolveFromLink(path.resolve(directory), home)
      )
    )
    return Object.entries(manifest.plugins).map(([key, value]): Discovered => {
      const entry: Exclude<typeof value, string> = typeof value === "string" ? { module: value } : value
      const slash = key.indexOf("/")
      return {
        kind: key.slice(0, slash),
        name: key.slice(slash + 1),
        api: entry.api ?? manifest.api,
        origin,
        description: entry.description ?? json.description,
        ...(entry.reads === undefined ? {} : { reads: entry.reads }),
        load: load({ key, origin, directory, reference: entry.module, link }).pipe(
          Effect.provideService(FileSystem.FileSystem, fs),
          Effect.provideService(Path.Path, path)
        )
      }
    })
  })

const load = (declaration: {
  readonly key: string
  readonly origin: string
  readonly directory: string
  readonly reference: string
  readonly link: Effect.Effect<void>
}): Effect.Effect<Plugin.Any, PluginLoadError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const { key, origin, directory, reference, link } = declaration
    const fail = (reason: PluginLoadError["reason"], details: string, cause?: unknown) =>
      new PluginLoadError({ reason, package: origin, reference, details, cause })

    const hash = reference.indexOf("#")
    const [file, name] = [reference.slice(0, hash), reference.slice(hash + 1)]
    const missing = () => fail("Missing", "there is no such file")
    const real = yield* Effect.mapError(fs.realPath(path.join(directory, file)), missing)
    const home = yield* Effect.mapError(fs.realPath(directory), missing)
    if (!real.startsWith(home + path.sep)) {
      return yield* fail("Outside", `the file is ${real}, outside of the package`)
    }
    // The Schemas and Effects of another major version would fail later, with an error that does not name the reason.
    const effect = yield* Effect.orElseSucceed(
      firstPackage(
        [...ancestors(path, path.dirname(real)), ...ancestors(path, path.resolve(directory))].map((parent) =>
          path.join(parent, "node_modules", "effect")
        )
      ),
      () => undefined
    )
    const version = effect?.json.version ?? effectMajor
    if (version.split(".")[0] !== effectMajor) {
      return yield* fail("Effect", `it uses effect ${version}, and codex-ml uses effect ${effectMajor}`)
    }
    const url = yield* Effect.mapError(path.toFileUrl(real), missing)
    yield* link
    const exports = yield* Effect.tryPromise({
      try: (): Promise<{ readonly [name: string]: unknown }> => import(/* @vite-ignore */ url.href),
      catch: (cause) =>
        fail(
          "Import",
          `importing it failed: ${cause instanceof Error ? cause.message : ConfigIssue.show(cause)}`,
          cause
        )
    })
    const plugin = exports[name]
    if (!Plugin.isPlugin(plugin)) {
      const others = Object.keys(exports).join(", ") || "nothing"
      return yield* fail("Export", `the file does not export a plugin of that name (it exports ${others})`)
    }
    if (plugin.key !== key) {
      return yield* fail("Key", `its key is ${ConfigIssue.show(plugin.key)}, not ${ConfigIssue.show(key)}`)
    }
    return plugin
  })
