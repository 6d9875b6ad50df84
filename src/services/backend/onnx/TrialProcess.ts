/**
 * The entry of a process that tries one device and says what it found: see DeviceTrial.ts.
 *
 *     node TrialProcess.js webgpu 2          # device and threads; the answer is a message to the process that forked this one
 *
 * The answer is sent before the device is released, so that a crash at the end is told from one at the start.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { DeviceName } from "../../../core/config/RunConfig.ts"
import type { Message } from "../DeviceTrial.ts"
import * as OnnxBackend from "../OnnxBackend.ts"
import { RuntimeMissing } from "./OnnxDevice.ts"

const send = (message: Message): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (process.send === undefined) resume(Effect.void)
    else process.send(message, () => resume(Effect.void))
  })

/** Device and threads; without threads, those of a run. */
const Words = Schema.Tuple(DeviceName, Schema.optionalElement(Schema.NumberFromString))

Effect.runFork(
  send({ _tag: "Ready" }).pipe(
    Effect.zipRight(Schema.decodeUnknown(Words)(process.argv.slice(2))),
    Effect.flatMap(([device, threads]) => OnnxBackend.make(threads === undefined ? { device } : { device, threads })),
    Effect.flatMap(({ info }) => send({ _tag: "Started", info })),
    Effect.catchTag("BackendError", ({ cause, details, remedy }) =>
      send(
        cause instanceof RuntimeMissing
          ? { _tag: "Missing", installed: cause.installed, details: cause.details }
          : { _tag: "Refused", details, remedy }
      )
    ),
    Effect.scoped,
    // Without this the process would wait for messages.
    Effect.ensuring(Effect.sync(() => process.disconnect?.()))
  )
)
