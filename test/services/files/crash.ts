/**
 * A file system whose process is killed before its n-th call: that call and all later ones do nothing, so no finalizer cleans
 * up either. What is on the disk then is what a SIGKILL at this point leaves. Nothing here is a test.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import type * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** Runs an effect with a kill before each call in turn, until it completes. Before each try `prepare` makes the place ready. */
export const atEachCall = <P, A, E, E2>(options: {
  readonly prepare: () => P
  readonly run: (prepared: P) => Effect.Effect<A, E, NodeContext.NodeContext>
  /** What must hold after the kill, and at the end of the run that none interrupted. */
  readonly check: (prepared: P, call: number, completed: boolean) => Effect.Effect<void, E2, NodeContext.NodeContext>
}) =>
  Effect.gen(function* () {
    const real = yield* FileSystem.FileSystem
    for (let call = 1; ; call++) {
      const prepared = options.prepare()
      const { fileSystem, killed } = killedBefore(real, call)
      const exit = yield* Effect.exit(Effect.provideService(options.run(prepared), FileSystem.FileSystem, fileSystem))
      if (!killed()) {
        if (Exit.isFailure(exit)) return yield* exit
        yield* options.check(prepared, call, true)
        return call - 1
      }
      yield* options.check(prepared, call, false)
    }
  })

const killedBefore = (real: FileSystem.FileSystem, call: number) => {
  let calls = 0
  /** Counts the calls of each method of an object that gives an Effect, and of the files that it opens. */
  const counted = <T extends object>(object: T): T =>
    new Proxy(object, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member === "function") return (...args: ReadonlyArray<unknown>) => wrap(member.apply(target, args))
        return wrap(member)
      }
    })
  const wrap = (result: unknown): unknown =>
    Effect.isEffect(result)
      ? Effect.suspend(() => (++calls >= call ? Effect.dieMessage("killed") : result)).pipe(
          Effect.map((value) => (FileSystem.isFile(value) ? counted(value) : value))
        )
      : result
  return { fileSystem: counted(real), killed: () => calls >= call }
}
