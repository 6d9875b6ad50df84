/**
 * Runs on disk: the files of each run, which run is meant by a name, and which process is writing to it.
 *
 *     runs/<id>/            id = <UTC time>-<name>-<4 hex digits>
 *       config.yaml         what ran, composed
 *       config-<step>.yaml  what ran until that update, if the run was extended after it
 *       data.json           what it is trained on, see jobs/RunData.ts
 *       tokenizer/          the tokenizer's files
 *       checkpoints/        see CheckpointStore.ts
 *       metrics.ndjson      and other trackers' files
 *       .lock               the process that writes, while it does
 *
 * The lock of a process that no longer exists is taken over (services/files/FileLock.ts). The config that ran last is also kept in `.codex/hydra_last/`.
 */
import * as Command from "@effect/platform/Command"
import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as AtomicFiles from "../files/AtomicFiles.ts"
import { FileError, type FileOperation } from "../files/FileError.ts"
import * as FileLock from "../files/FileLock.ts"
import * as TextFile from "../files/TextFile.ts"

/** A run that does not exist or is in use. */
export class RunError extends Schema.TaggedError<RunError>()("RunError", {
  reason: Schema.Literal("NotFound", "Locked"),
  path: Schema.String,
  details: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${this.path}: ${this.details} ${this.remedy}`
  }
}

/** A run and where its files are. */
export interface RunDirectory {
  readonly id: string
  readonly directory: string
  readonly checkpoints: string
  readonly tokenizer: string
  readonly configFile: string
  readonly dataFile: string
}

/** The runs of a directory. */
export class RunStore extends Context.Tag("codex/RunStore")<RunStore, RunStore.Service>() {
  /** A run that does not exist or is in use. */
  static readonly Error = RunError

  /** Runs under `root`, by default `runs` in the working directory. */
  static layer(
    root = "runs"
  ): Layer.Layer<RunStore, never, FileSystem.FileSystem | Path.Path | CommandExecutor.CommandExecutor> {
    return Layer.effect(RunStore, make(root))
  }
}

export declare namespace RunStore {
  type Error = RunError
  interface Service {
    /** The directory that holds all runs. */
    readonly root: string
    /** Creates a run, saves its config, and locks it for this process until the scope closes. */
    readonly create: (options: {
      readonly name: string
      readonly config: string
    }) => Effect.Effect<RunDirectory, RunError | FileError, Scope.Scope>
    /** An existing run, by its directory or id. */
    readonly open: (pathOrId: string) => Effect.Effect<RunDirectory, RunError | FileError>
    /** Locks a run for this process until the scope closes. */
    readonly lock: (run: RunDirectory) => Effect.Effect<void, RunError | FileError, Scope.Scope>
    /** All runs, newest first. */
    readonly list: Effect.Effect<ReadonlyArray<RunDirectory>, FileError>
    /** The config that a run was created with. */
    readonly config: (run: RunDirectory) => Effect.Effect<string, FileError>
    /** Replaces the config of a run that was extended after `step` updates. The one before it stays as `config-<step>.yaml`. */
    readonly replaceConfig: (run: RunDirectory, config: string, step: number) => Effect.Effect<void, FileError>
    /** The commit of the git repository that the working directory is in, if any. */
    readonly gitCommit: Effect.Effect<string | undefined>
  }
}

const make = (root: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const executor = yield* Effect.context<CommandExecutor.CommandExecutor>()

    const failed = (path: string, operation: FileOperation) => Effect.mapError(FileError.from(path, operation))

    const at = (directory: string): RunDirectory => ({
      id: paths.basename(directory),
      directory,
      checkpoints: paths.join(directory, "checkpoints"),
      tokenizer: paths.join(directory, "tokenizer"),
      configFile: paths.join(directory, "config.yaml"),
      dataFile: paths.join(directory, "data.json")
    })

    const write = (path: string, content: string) =>
      AtomicFiles.writeFile(path, content).pipe(
        Effect.provideService(FileSystem.FileSystem, fs),
        Effect.provideService(Path.Path, paths)
      )

    const lock: RunStore.Service["lock"] = (run) => {
      const path = paths.join(run.directory, ".lock")
      return FileLock.acquire(path).pipe(
        Effect.provideService(FileSystem.FileSystem, fs),
        Effect.provideService(Path.Path, paths),
        Effect.catchTag(
          "LockHeld",
          ({ holder }) =>
            new RunError({
              reason: "Locked",
              path: run.directory,
              details: `${holder.replace(/^p|^a/, (first) => first.toUpperCase())} is writing to this run.`,
              remedy: `Wait until it ends, or stop it. If it is not a codex process, remove ${path}*.`
            })
        )
      )
    }

    const list = fs.readDirectory(root).pipe(
      Effect.orElseSucceed(() => []),
      Effect.flatMap((names) =>
        Effect.filter(
          [...names]
            .sort()
            .reverse()
            .map((name) => at(paths.join(root, name))),
          (run) => fs.exists(run.configFile).pipe(failed(run.directory, "read"))
        )
      )
    )

    return RunStore.of({
      root,
      list,
      lock,
      create: ({ config, name }) =>
        Effect.gen(function* () {
          const now = yield* DateTime.now
          const time = DateTime.formatIso(now).replace(/[-:]/g, "").replace("T", "-").slice(0, 15)
          const tail = (yield* Random.nextIntBetween(0, 0x10000)).toString(16).padStart(4, "0")
          const run = at(paths.join(root, `${time}-${name}-${tail}`))
          yield* fs.makeDirectory(run.directory, { recursive: true }).pipe(failed(run.directory, "write"))
          yield* lock(run)
          yield* write(run.configFile, config)
          const last = paths.join(paths.dirname(root), ".codex", "hydra_last")
          yield* fs.makeDirectory(last, { recursive: true }).pipe(failed(last, "write"))
          yield* write(paths.join(last, "config.yaml"), config)
          return run
        }),
      open: (pathOrId) =>
        Effect.gen(function* () {
          for (const directory of [pathOrId, paths.join(root, pathOrId)]) {
            const run = at(paths.resolve(directory))
            if (yield* fs.exists(run.configFile).pipe(failed(directory, "read")))
              return { ...at(directory), id: run.id }
          }
          const known = (yield* list).slice(0, 3).map((run) => run.directory)
          return yield* new RunError({
            reason: "NotFound",
            path: pathOrId,
            details: "There is no run here (no config.yaml).",
            remedy:
              known.length === 0
                ? "Train one with `codex train`."
                : `The newest ${known.length === 1 ? "run is" : "runs are"} ${known.join(", ")}.`
          })
        }),
      config: (run) => TextFile.read(fs, run.configFile).pipe(failed(run.configFile, "read")),
      replaceConfig: (run, config, step) =>
        Effect.gen(function* () {
          const kept = paths.join(run.directory, `config-${String(step).padStart(8, "0")}.yaml`)
          // A config under which no update was done is not kept.
          if (!(yield* fs.exists(kept).pipe(failed(kept, "read")))) {
            yield* write(kept, yield* TextFile.read(fs, run.configFile).pipe(failed(run.configFile, "read")))
          }
          yield* write(run.configFile, config)
        }),
      gitCommit: Command.make("git", "rev-parse", "HEAD").pipe(
        Command.stderr("pipe"),
        Command.string,
        Effect.map((output) => /^[0-9a-f]{40}/.exec(output)?.[0]),
        Effect.orElseSucceed(() => undefined),
        Effect.provide(executor)
      )
    })
  })
