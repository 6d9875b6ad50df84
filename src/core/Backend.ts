/**
 * The kind of service that runs Programs: on ONNX Runtime, or in plain TypeScript.
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
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Program } from "./tensor/Program.ts"
import type { TensorData } from "./tensor/Tensor.ts"

export type TensorDatas = { readonly [name: string]: TensorData }

/** Why a backend could not do what it was asked. */
export class BackendError extends Schema.TaggedError<BackendError>()("BackendError", {
  reason: Schema.Literal("Unavailable", "Compile", "Run", "Input", "State", "Closed"),
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
      Input: `Wrong input for "${this.subject}"`,
      State: `Wrong state for "${this.subject}"`,
      Closed: `"${this.subject}" was closed`
    }[this.reason]
    if (this.remedy === undefined) return `${what}: ${this.details}`
    // Details of a provider are its own words, with or without a full stop.
    return `${what}: ${this.details.replace(/[.\s]*$/, ".")} ${this.remedy}`
  }
}

export interface DeviceInfo {
  /** `reference`, `cpu`, `webgpu`, `cuda`, `coreml` or `dml`: what really runs. */
  readonly device: string
  /** Threads that one operator may use; 1 where the device has no such notion. */
  readonly threads: number
  /** One line for a log: runtime, version, provider. */
  readonly description: string
}

/** Programs that were compiled together and share the state of equal name. Lives as long as its Scope. */
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
  readonly writeState: (values: TensorDatas) => Effect.Effect<void, BackendError>
}

export class Backend extends Context.Tag("codex/Backend")<Backend, Backend.Service>() {}

export declare namespace Backend {
  interface Service {
    readonly info: DeviceInfo
    /** Compiles Programs that share their state. Fails when two of them declare one state name with different types. */
    readonly compile: <Name extends string>(
      programs: { readonly [K in Name]: Program }
    ) => Effect.Effect<Executable<Name>, BackendError, Scope.Scope>
  }
}
