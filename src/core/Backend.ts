/**
 * The backend kind of service: runs Programs, on ONNX Runtime or in plain TypeScript.
 *
 * Laws (src/testing/backend.ts checks them by these numbers):
 *  1. a run returns what the reference returns, within the operator's tolerance;
 *  2. state written by one run is read by the next, whichever of the compiled Programs runs;
 *  3. `readState` after `writeState` gives the written values;
 *  4. the same state and inputs give the same bits, on the same device and thread count;
 *  5. closing the scope releases everything; a run after that fails with `BackendError`.
 *
 * An interruption takes effect between runs, never inside one: state is never half written.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Precision } from "./tensor/HalfPrecision.ts"
import { type Program, readsOf, type TensorTypes } from "./tensor/Program.ts"
import { sameShape, show, sizeOf, type TensorData, type TensorType } from "./tensor/Tensor.ts"

/** Tensors with their numbers, by name. */
export type TensorDatas = { readonly [name: string]: TensorData }

/** A backend could not do what was requested. `reason` says at which point. */
export class BackendError extends Schema.TaggedError<BackendError>()("BackendError", {
  reason: Schema.Literal("Unavailable", "Compile", "Run", "Memory", "Input", "State", "Closed"),
  /** The device, Program or tensor concerned. */
  subject: Schema.String,
  details: Schema.String,
  remedy: Schema.optional(Schema.String),
  cause: Schema.optional(Schema.Defect)
}) {
  override get message() {
    const what = {
      Unavailable: `Device "${this.subject}" cannot start`,
      Compile: `Program "${this.subject}" does not compile`,
      Run: `Program "${this.subject}" failed`,
      Memory: `"${this.subject}" does not fit in the memory of the device`,
      Input: `Wrong input for "${this.subject}"`,
      State: `Wrong state for "${this.subject}"`,
      Closed: `"${this.subject}" was closed`
    }[this.reason]
    if (this.remedy === undefined) return `${what}: ${this.details}`
    // The details of a provider may or may not end with a full stop.
    return `${what}: ${this.details.replace(/[.\s]*$/, ".")} ${this.remedy}`
  }
}

/** What a backend computes on. */
export interface DeviceInfo {
  /** `reference`, `cpu`, `wasm`, `webgpu`, `cuda`, `coreml` or `dml`: the device that really runs. */
  readonly device: string
  /** Threads that one operator may use; 1 if the device has no threads. */
  readonly threads: number
  /** What matrix products compute in. Default: `float32`. */
  readonly precision?: Precision | undefined
  /** One line for a log: runtime, version, provider. */
  readonly description: string
}

/** Programs that were compiled together and share state of the same name, for the lifetime of their Scope. */
export interface Executable<Name extends string = string> {
  /**
   * Runs one Program: reads its state, writes its new state, returns its outputs (all of them, or those in `fetch`).
   * Inputs are copied; the returned arrays belong to the caller.
   */
  readonly run: (
    program: Name,
    inputs: TensorDatas,
    fetch?: ReadonlyArray<string>
  ) => Effect.Effect<TensorDatas, BackendError>
  /** Copies of state tensors; all when no names are given. State that was never written is an error that names it. */
  readonly readState: (names?: ReadonlyArray<string>) => Effect.Effect<TensorDatas, BackendError>
  /** Replaces the given state tensors. */
  readonly writeState: (values: TensorDatas) => Effect.Effect<void, BackendError>
}

/** The service of a backend: compiles Programs. */
export class Backend extends Context.Tag("codex/Backend")<Backend, Backend.Service>() {
  /** Why a backend could not do what was requested. */
  static readonly Error = BackendError

  /**
   * A backend from the part that computes. What every backend has to check is added: that Programs agree about the state
   * they share, that inputs, state values and names fit, that state is written before it is read, and that nothing runs after
   * the scope of `compile` was closed. Each wrong use is a `BackendError` that names the tensor. Runs become uninterruptible.
   *
   * @example
   * Backend.make({
   *   info: { device: "mine", threads: 1, description: "my device" },
   *   compile: (programs, state) => Effect.succeed({ run, readState, writeState })
   * })
   */
  static make({ compile, info }: Backend.Primitives): Backend.Service {
    return {
      info,
      compile: (programs) =>
        Effect.gen(function* () {
          const state = yield* sharedState(programs)
          const executable = yield* compile(programs, state)
          return yield* checked(programs, state, executable)
        })
    }
  }
}

export declare namespace Backend {
  type Error = BackendError
  interface Service {
    readonly info: DeviceInfo
    /** Compiles Programs that share their state. Fails when two of them declare one state name with different types. */
    readonly compile: <Name extends string>(
      programs: { readonly [K in Name]: Program }
    ) => Effect.Effect<Executable<Name>, BackendError, Scope.Scope>
  }

  /** What a backend consists of; see `Backend.make`. */
  interface Primitives {
    readonly info: DeviceInfo
    /** `state` is the union of the Programs' state. What is acquired is released by the Scope. */
    readonly compile: (
      programs: { readonly [name: string]: Program },
      state: TensorTypes
    ) => Effect.Effect<Computation, BackendError, Scope.Scope>
  }

  /** Compiled Programs. Everything that it is called with has been checked. */
  interface Computation {
    /** Outputs in `fetch` have no duplicates. State is replaced only when every new value is there. */
    readonly run: (
      program: string,
      inputs: TensorDatas,
      fetch: ReadonlyArray<string>
    ) => Effect.Effect<TensorDatas, BackendError>
    readonly readState: (names: ReadonlyArray<string>) => Effect.Effect<TensorDatas, BackendError>
    readonly writeState: (values: TensorDatas) => Effect.Effect<void, BackendError>
  }
}

type Check<A = void> = Effect.Effect<A, BackendError>

/** The Executable of a computation: checks first, then computes. */
const checked = <Name extends string>(
  programs: { readonly [K in Name]: Program },
  state: TensorTypes,
  computation: Backend.Computation
): Effect.Effect<Executable<Name>, never, Scope.Scope> =>
  Effect.gen(function* () {
    let closed = false
    const written = new Set<string>()
    const reads = new Map(Object.entries<Program>(programs).map(([name, program]) => [name, readsOf(program).state]))
    // Added last, so it runs first: nothing reaches a computation that is being released.
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        closed = true
      })
    )
    const whileOpen = <A>(subject: string, use: () => Check<A>): Check<A> =>
      Effect.suspend(() =>
        closed ? new BackendError({ reason: "Closed", subject, details: "its scope has ended." }) : use()
      )
    const isWritten = (names: ReadonlyArray<string>): Check =>
      Effect.suspend(() => {
        const subject = names.find((name) => !written.has(name))
        if (subject === undefined) return Effect.void
        const details = "it is read before it was written."
        return new BackendError({ reason: "State", subject, details, remedy: "Call writeState with its first value." })
      })
    /** A computation and the record of what it wrote must not be separated. */
    const writing = <A>(names: ReadonlyArray<string>, use: Check<A>): Check<A> =>
      Effect.uninterruptible(
        Effect.tap(use, () =>
          Effect.sync(() => {
            for (const name of names) written.add(name)
          })
        )
      )
    return {
      run: (name, inputs, fetch) =>
        whileOpen(name, () => {
          const program = programs[name]
          const outputs = fetch === undefined ? Object.keys(program.outputs) : [...new Set(fetch)]
          return expectInputs(program, inputs).pipe(
            Effect.zipRight(expectOutputs(program, outputs)),
            Effect.zipRight(isWritten(reads.get(name)!)),
            Effect.zipRight(
              Effect.suspend(() => writing(Object.keys(program.nextState), computation.run(name, inputs, outputs)))
            )
          )
        }),
      readState: (names = Object.keys(state)) =>
        whileOpen("state", () =>
          expectStateNames(state, names).pipe(
            Effect.zipRight(isWritten(names)),
            Effect.zipRight(Effect.suspend(() => computation.readState(names)))
          )
        ),
      writeState: (values) =>
        whileOpen("state", () =>
          expectStateValues(state, values).pipe(
            Effect.zipRight(Effect.suspend(() => writing(Object.keys(values), computation.writeState(values))))
          )
        )
    }
  })

/** The union of the Programs' state. Fails when one name has two types. */
const sharedState = (programs: { readonly [name: string]: Program }): Check<TensorTypes> => {
  const shared = new Map<string, { readonly program: string; readonly type: TensorType }>()
  for (const [program, { state }] of Object.entries(programs)) {
    for (const [name, type] of Object.entries(state)) {
      const known = shared.get(name)
      if (known === undefined) shared.set(name, { program, type })
      else if (!sameType(known.type, type)) {
        return new BackendError({
          reason: "State",
          subject: name,
          details: `Program "${known.program}" declares ${show(known.type)}, and "${program}" declares ${show(type)}.`,
          remedy: "Programs that are compiled together share state by name: rename one of the two."
        })
      }
    }
  }
  return Effect.succeed(Object.fromEntries([...shared].map(([name, { type }]) => [name, type])))
}

/** Checks that every declared input is given and fits, and that no other is given. */
const expectInputs = (program: Program, values: TensorDatas): Check => {
  for (const [name, type] of Object.entries(program.inputs)) {
    const value = values[name]
    if (value === undefined) return wrong("Input", name, `expected ${show(type)}, got nothing.`)
    const fault = faultOf(type, value)
    if (fault !== undefined) return wrong("Input", name, fault)
  }
  return expectKnown("Input", `Program "${program.name}" has no such input`, program.inputs, Object.keys(values))
}

/** Checks that every value belongs to a state tensor and fits. */
const expectStateValues = (types: TensorTypes, values: TensorDatas): Check =>
  Effect.zipRight(
    expectStateNames(types, Object.keys(values)),
    Effect.suspend(() => {
      for (const [name, value] of Object.entries(values)) {
        const fault = faultOf(types[name]!, value)
        if (fault !== undefined) return wrong("State", name, fault)
      }
      return Effect.void
    })
  )

const expectStateNames = (types: TensorTypes, names: ReadonlyArray<string>): Check =>
  expectKnown("State", "no such state tensor", types, names)

const expectOutputs = (program: Program, names: ReadonlyArray<string>): Check =>
  expectKnown("Input", `Program "${program.name}" has no such output`, program.outputs, names)

const sameType = (a: TensorType, b: TensorType) => a.dtype === b.dtype && sameShape(a.shape, b.shape)

/** What is wrong with a value, or undefined. Numbers are not checked: NaN is valid. */
const faultOf = (type: TensorType, value: TensorData): string | undefined => {
  if (!sameType(type, value)) return `expected ${show(type)}, got ${show(value)}.`
  const fits =
    type.dtype === "float32"
      ? value.data instanceof Float32Array || value.data instanceof Float64Array
      : type.dtype === "int32"
        ? value.data instanceof Int32Array
        : value.data instanceof Uint8Array
  if (!fits) return `expected numbers of ${type.dtype}, got a ${value.data.constructor.name}.`
  const size = sizeOf(type.shape)
  return value.data.length === size
    ? undefined
    : `expected ${size} numbers for ${show(type)}, got ${value.data.length}.`
}

const wrong = (reason: "Input" | "State", subject: string, details: string) =>
  new BackendError({ reason, subject, details })

const expectKnown = (
  reason: "Input" | "State",
  what: string,
  expected: object,
  names: ReadonlyArray<string>
): Check => {
  const unknown = names.find((name) => !Object.hasOwn(expected, name))
  if (unknown === undefined) return Effect.void
  const available = Object.keys(expected).join(", ")
  return wrong(reason, unknown, `${what}. Known: ${available === "" ? "none" : available}.`)
}
