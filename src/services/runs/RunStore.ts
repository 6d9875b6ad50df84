/**
 * Runs on disk: where each run's files lie, which run is which, and who is writing to it.
 *
 *     runs/<id>/            id = <UTC time>-<name>-<4 hex digits>
 *       config.yaml         what ran, composed
 *       tokenizer/          the tokenizer's files
 *       checkpoints/        see CheckpointStore.ts
 *       metrics.ndjson      and other trackers' files
 *       .lock               the process that writes, while it does
 *
 * A lock left by a process that is gone is taken over. The config that ran last is also kept in `.codex/hydra_last/`
 * next to the directory of the runs.
 */
import { randomUUID } from "node:crypto"
import * as Command from "@effect/platform/Command"
import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import type { PlatformError, SystemErrorReason } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/** A run that is not there, is in use, or cannot be written. */
export class RunError extends Schema.TaggedError<RunError>()("RunError", {
  reason: Schema.Literal("NotFound", "Locked", "Unwritable"),
  path: Schema.String,
  details: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${this.path}: ${this.details} ${this.remedy}`
  }
}

/** Where the files of a run are. */
export interface RunDirectory {
  readonly id: string
  readonly directory: string
  readonly checkpoints: string
  readonly tokenizer: string
  readonly configFile: string
}

export class RunStore extends Context.Tag("codex/RunStore")<RunStore, RunStore.Service>() {}

export declare namespace RunStore {
  interface Service {
    /** The directory that holds all runs. */
    readonly root: string
    /** A new run with its config saved, locked for this process until the scope closes. */
    readonly create: (options: {
      readonly name: string
      readonly config: string
    }) => Effect.Effect<RunDirectory, RunError, Scope.Scope>
    /** An existing run, by its directory or id. */
    readonly open: (pathOrId: string) => Effect.Effect<RunDirectory, RunError>
    /** Locks a run for this process until the scope closes. */
    readonly lock: (run: RunDirectory) => Effect.Effect<void, RunError, Scope.Scope>
    /** All runs, newest first. */
    readonly list: Effect.Effect<ReadonlyArray<RunDirectory>, RunError>
    /** The config that a run was made with. */
    readonly config: (run: RunDirectory) => Effect.Effect<string, RunError>
    /** Commit of the working directory's git repository, when it is in one. */
    readonly gitCommit: Effect.Effect<string | undefined>
  }
}

const make = (root: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const executor = yield* Effect.context<CommandExecutor.CommandExecutor>()

    const unwritable = (path: string) =>
      Effect.mapError((cause: PlatformError) => {
        const details = `The run cannot be written: ${cause.message}.`
        const remedy = "Check space and permissions; earlier runs are untouched."
        return new RunError({ reason: "Unwritable", path, details, remedy })
      })

    const at = (directory: string): RunDirectory => ({
      id: paths.basename(directory),
      directory,
      checkpoints: paths.join(directory, "checkpoints"),
      tokenizer: paths.join(directory, "tokenizer"),
      configFile: paths.join(directory, "config.yaml")
    })

    /** Written beside and renamed, so that nobody reads half a file. */
    const writeAtomically = (path: string, content: string) =>
      Effect.suspend(() => {
        const beside = `${path}.${randomUUID()}`
        return Effect.zipRight(fs.writeFileString(beside, content), fs.rename(beside, path))
      })

    const lock: RunStore.Service["lock"] = (run) => {
      const path = paths.join(run.directory, ".lock")
      const locked = (holder: string) =>
        new RunError({
          reason: "Locked",
          path: run.directory,
          details: `${holder} is writing to this run.`,
          remedy: `Wait for it, or stop it. If it is no codex, remove ${path}*.`
        })
      // A lock that is empty is being written at this moment, or its writer died in between.
      const holderOf = fs.readFileString(path).pipe(
        Effect.filterOrElse(
          (holder) => holder !== "",
          () => Effect.delay(fs.readFileString(path), "200 millis")
        )
      )
      const retry = Effect.suspend(() => acquire)
      // One process at a time may replace a stale lock, and it does so in one move: there is no moment without a lock.
      const gate = `${path}.takeover`
      const takeOver = (holder: string) =>
        Effect.acquireUseRelease(
          fs.writeFileString(gate, "", { flag: "wx" }),
          () =>
            Effect.gen(function* () {
              if ((yield* fs.readFileString(path)) !== holder) return false
              yield* writeAtomically(path, thisProcess())
              return true
            }),
          () => Effect.ignore(fs.remove(gate))
        )
      const contend = Effect.gen(function* () {
        const holder = yield* holderOf
        if (isAlive(holder)) return yield* locked(`Process ${holder.split(" ")[0]}`)
        const taken = yield* takeOver(holder)
        if (!taken) yield* retry
      })
      const acquire: Effect.Effect<void, RunError | PlatformError> = fs
        .writeFileString(path, thisProcess(), { flag: "wx" })
        .pipe(
          Effect.catchIf(isReason("AlreadyExists"), () =>
            contend.pipe(
              // Released in between.
              Effect.catchIf(isReason("NotFound"), () => retry),
              Effect.catchIf(isReason("AlreadyExists"), () => locked("Another process"))
            )
          )
        )
      const release = Effect.flatMap(fs.readFileString(path), (holder) =>
        holder === thisProcess() ? fs.remove(path) : Effect.void
      )
      return Effect.acquireRelease(
        acquire.pipe(
          Effect.catchTags({
            SystemError: (e) => unwritable(path)(Effect.fail(e)),
            BadArgument: (e) => unwritable(path)(Effect.fail(e))
          })
        ),
        () => Effect.ignore(release)
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
          (run) => fs.exists(run.configFile).pipe(unwritable(run.directory))
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
          yield* fs.makeDirectory(run.directory, { recursive: true }).pipe(unwritable(run.directory))
          yield* lock(run)
          yield* writeAtomically(run.configFile, config).pipe(unwritable(run.configFile))
          const last = paths.join(paths.dirname(root), ".codex", "hydra_last")
          yield* fs
            .makeDirectory(last, { recursive: true })
            .pipe(Effect.zipRight(writeAtomically(paths.join(last, "config.yaml"), config)), unwritable(last))
          return run
        }),
      open: (pathOrId) =>
        Effect.gen(function* () {
          for (const directory of [pathOrId, paths.join(root, pathOrId)]) {
            const run = at(paths.resolve(directory))
            if (yield* fs.exists(run.configFile).pipe(unwritable(directory))) return { ...at(directory), id: run.id }
          }
          const known = (yield* list).slice(0, 3).map((run) => run.directory)
          return yield* new RunError({
            reason: "NotFound",
            path: pathOrId,
            details: "There is no run here (no config.yaml).",
            remedy: known.length === 0 ? "Train one with `codex train`." : `The newest runs are ${known.join(", ")}.`
          })
        }),
      config: (run) => fs.readFileString(run.configFile).pipe(unwritable(run.configFile)),
      gitCommit: Command.make("git", "rev-parse", "HEAD").pipe(
        Command.stderr("pipe"),
        Command.string,
        Effect.map((output) => /^[0-9a-f]{40}/.exec(output)?.[0]),
        Effect.orElseSucceed(() => undefined),
        Effect.provide(executor)
      )
    })
  })

const isReason =
  (reason: SystemErrorReason) =>
  (error: { readonly _tag: string; readonly reason?: string }): boolean =>
    error._tag === "SystemError" && error.reason === reason

/** Number and start of this process: in a container every process that ever runs may have the same number. */
const thisProcess = (): string => `${process.pid} ${Math.round(performance.timeOrigin)}`

/** Signal 0 asks whether a process exists; "not permitted" means that it does. */
const isAlive = (holder: string): boolean => {
  const pid = Number(holder.split(" ")[0])
  if (!Number.isInteger(pid) || pid <= 0) return false
  if (pid === process.pid) return holder === thisProcess()
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** Runs under `root`, by default `runs` in the working directory. */
export const layer = (
  root = "runs"
): Layer.Layer<RunStore, never, FileSystem.FileSystem | Path.Path | CommandExecutor.CommandExecutor> =>
  Layer.effect(RunStore, make(root))
