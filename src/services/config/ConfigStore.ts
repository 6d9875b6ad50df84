/**
 * Config files on disk. `group/name.yaml` is looked for beside the file that names it, then in each directory above
 * up to the working directory (or up to one called `configs`, for a file outside of it), in the working directory's
 * `configs/`, and last among the configs that the package ships. Nothing is kept open or cached.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ConfigError, ConfigIssue, ConfigSource } from "../../core/config/Config.ts"
import * as Node from "../../core/config/ConfigNode.ts"
import type { Document } from "../../core/config/ConfigSource.ts"
import * as ConfigYaml from "./ConfigYaml.ts"

export interface Options {
  /** The directory that relative paths start from. */
  readonly workingDirectory: string
  /** The configs that the package ships. */
  readonly packagedConfigs: string
}

const make = ({ workingDirectory, packagedConfigs }: Options) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path

    const isInside = (directory: string, file: string) => {
      const relative = path.relative(directory, file)
      return relative === "" || (!relative.startsWith("..") && !path.isAbsolute(relative))
    }
    const display = (file: string) => (isInside(workingDirectory, file) ? path.relative(workingDirectory, file) : file)

    const read = (file: string): Effect.Effect<Document, ConfigError> =>
      Effect.gen(function* () {
        const name = display(file)
        const text = yield* Effect.mapError(fs.readFileString(file), (error) =>
          problem(name, isMissing(error) ? "there is no such file" : `cannot be read: ${error.message}`)
        )
        const root = yield* ConfigYaml.parse(text.replace(/^\uFEFF/, ""), name, true)
        const header = /^(?:\s*(?:#.*)?\n)*?#\s*@package\s+(\S+)/.exec(text)
        if (root._tag === "Map") return { path: name, root: { ...root, origin: name }, packageName: header?.[1] }
        if (root._tag === "Scalar" && root.value === null) {
          return { path: name, root: Node.map([], name), packageName: header?.[1] }
        }
        return yield* problem(root.origin, "a config file must hold a map: `key: value` lines")
      })

    /** The directories in which a document's groups are looked for, nearest first. */
    const directories = (from: Document): ReadonlyArray<string> => {
      const found: Array<string> = []
      let directory = path.dirname(path.resolve(workingDirectory, from.path))
      const within = isInside(workingDirectory, directory)
      for (;;) {
        found.push(directory)
        const last = within ? directory === workingDirectory : path.basename(directory) === "configs"
        const parent = path.dirname(directory)
        if (last || parent === directory) break
        directory = parent
      }
      return [...new Set([...found, path.join(workingDirectory, "configs"), packagedConfigs])]
    }

    const isFile = (file: string) =>
      Effect.orElseSucceed(
        Effect.map(fs.stat(file), ({ type }) => type === "File"),
        () => false
      )

    return ConfigSource.of({
      primary: (file) => read(path.resolve(workingDirectory, file)),
      find: (group, name, from) =>
        Effect.gen(function* () {
          const file = /\.ya?ml$/.test(name) ? name : `${name}.yaml`
          const candidates = directories(from).map((directory) => path.join(directory, group, file))
          const found = yield* Effect.findFirst(candidates, isFile)
          return found._tag === "Some" ? yield* read(found.value) : undefined
        }),
      names: (group, from) =>
        Effect.map(
          Effect.forEach(directories(from), (directory) =>
            Effect.orElseSucceed(fs.readDirectory(path.join(directory, group)), (): ReadonlyArray<string> => [])
          ),
          (files) =>
            [...new Set(files.flat().flatMap((file) => (file.endsWith(".yaml") ? [file.slice(0, -5)] : [])))].sort()
        ),
      parse: (text) => ConfigYaml.parseValue(text, "command line")
    })
  })

const isMissing = (error: PlatformError) => error._tag === "SystemError" && error.reason === "NotFound"

const problem = (origin: string, details: string) =>
  new ConfigError({
    issues: [new ConfigIssue({ problem: "invalid", path: [], expected: "", got: "", details, origin })]
  })

export const layer = (options: Options): Layer.Layer<ConfigSource, never, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(ConfigSource, make(options))
