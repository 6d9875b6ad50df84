/**
 * codex doctor [--json]
 *
 *     $ codex doctor
 *     …                       software, devices, graphics and folders: what works, and what to do about the rest
 *
 * Outside of a session: it examines what a session log needs, and works where none can be written.
 */
import * as Command from "@effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { load, outsideSession } from "./Handler.ts"
import { json } from "./Options.ts"
import { doctorReport } from "./render/DoctorReport.ts"

export const doctor = Command.make(
  "doctor",
  { json },
  outsideSession(({ json }) =>
    Effect.gen(function* () {
      const Doctor = yield* load(() => import("../jobs/Doctor.ts"))
      const report = yield* Doctor.examine()
      yield* Console.log(json ? JSON.stringify(report) : doctorReport(report))
      yield* Option.match(Doctor.problem(report), { onNone: () => Effect.void, onSome: Effect.fail })
    })
  )
).pipe(
  Command.withDescription(
    "Say what works on this machine, why the rest does not, and what to do: packages, devices, graphics drivers, folders. " +
      "The exit code is 1 if the default device does not start. Example: codex doctor --json"
  )
)
