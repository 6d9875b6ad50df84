/**
 * What the commands that use a trained run share: options that say which run, which checkpoint and where to compute.
 */
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { BackendConfig } from "../core/config/RunConfig.ts"
import type { Which } from "../jobs/SavedRun.ts"
import { load } from "./Handler.ts"

/** `--run`: required by these commands. */
export const run = Options.text("run").pipe(
  Options.withDescription("The run: its directory or id, or the directory of one of its checkpoints."),
  Options.withPseudoName("directory")
)

/** `--checkpoint best|last|<step>` */
export const checkpoint = Options.text("checkpoint").pipe(
  Options.withDescription("The checkpoint: best (on the held-out text), last, or a step. Default: best"),
  Options.withPseudoName("name"),
  Options.withDefault("best"),
  Options.mapEffect((text): Effect.Effect<Which, ValidationError.ValidationError> => {
    if (text === "best" || text === "last") return Effect.succeed(text)
    return /^\d+$/.test(text)
      ? Effect.succeed(Number(text))
      : Effect.fail(
          ValidationError.invalidValue(
            HelpDoc.p(`Option "--checkpoint" must be best, last or a step, not ${JSON.stringify(text)}.`)
          )
        )
  })
)

/** `--device cpu`: overrides CODEX_DEVICE, which overrides the run's config. */
export const device = Options.choice("device", ["auto", "cpu", "wasm", "webgpu", "cuda", "coreml", "dml"]).pipe(
  Options.withDescription("Where to compute. Default: CODEX_DEVICE, else the run's config"),
  Options.optional
)

/** The services of jobs on runs, loaded when a command runs. */
export const environment = (options: { readonly device: Option.Option<BackendConfig["device"]> }) =>
  Layer.unwrapEffect(
    Effect.map(
      load(() => import("../jobs/Run.ts")),
      ({ layer }) => layer({ device: Option.getOrUndefined(options.device) })
    )
  )

/** Finds the run and what its config says of logging: the first step of a command in a prepared session. */
export const find = (options: { readonly run: string }) =>
  Effect.gen(function* () {
    const { find } = yield* load(() => import("../jobs/Run.ts"))
    const saved = yield* find(options.run)
    return { saved, logging: saved.config.logging }
  })
