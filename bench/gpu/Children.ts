/** Runs a job in a child process with a time limit, and gives what it had reported until then and how it ended. */
import { type ChildProcess, spawn } from "node:child_process"
import { createRequire } from "node:module"
import { fileURLToPath, pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type Figure, type Job, Message, type Options } from "./Job.ts"

/** What became of a job. */
export interface Outcome {
  readonly figures: ReadonlyArray<Omit<Figure, "_tag">>
  /** One sentence for each thing that went wrong. */
  readonly failures: ReadonlyArray<string>
  readonly seconds: number
}

const entry = fileURLToPath(new URL("./Child.ts", import.meta.url))
const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href
const decode = Schema.decodeSync(Schema.parseJson(Message))

/** The child and what it started (Python): on Unix they are one process group. */
const killGroup = (child: ChildProcess) => {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  if (process.platform === "win32") child.kill("SIGKILL")
  else process.kill(-child.pid, "SIGKILL")
}

/** Runs a job. Never fails: what goes wrong is part of the outcome. An interruption ends the child. */
export const run = (job: Job, options: Options, limitSeconds: number): Effect.Effect<Outcome> =>
  Effect.suspend(() => {
    const from = performance.now()
    const messages: Array<Message> = []
    let stderr = ""
    const ended = Effect.async<string | undefined>((resume) => {
      const child = spawn(
        process.execPath,
        ["--import", tsx, entry, job.name, JSON.stringify(options), String(limitSeconds)],
        {
          stdio: ["pipe", "ignore", "pipe", "pipe"],
          detached: process.platform !== "win32",
          // The Vulkan loader then names the cards and the driver that it found.
          env: { ...process.env, ...(job.read === undefined ? {} : { VK_LOADER_DEBUG: "driver,info" }) }
        }
      )
      let rest = ""
      child.stdio[3]?.on("data", (data) => {
        const lines = `${rest}${data}`.split("\n")
        rest = lines.pop() ?? ""
        messages.push(...lines.map((line) => decode(line)))
      })
      child.stderr?.on("data", (data) => {
        stderr = (stderr + data).slice(-1_000_000)
      })
      child.stdin?.on("error", () => undefined)
      const closed = Effect.async<void>((resume) => {
        if (child.exitCode !== null || child.signalCode !== null) resume(Effect.void)
        else child.once("close", () => resume(Effect.void))
      })
      child.once("error", (error) => resume(Effect.succeed(`It does not start: ${error.message}`)))
      child.once("close", (code, signal) => resume(Effect.succeed(faultOf(messages, code, signal, stderr))))
      // Until it is gone it holds the card's memory. A process that hangs in a driver may never go.
      return Effect.zipRight(
        Effect.sync(() => killGroup(child)),
        Effect.ignore(Effect.timeout(closed, "10 seconds"))
      )
    })
    const onTimeout = () => {
      const what = isDone(messages) ? "It did not exit after its work was done" : "It was stopped"
      return `${what}: its limit was ${Math.round(limitSeconds)} s. What it had measured until then is kept.`
    }
    return ended.pipe(
      Effect.timeoutTo({
        duration: `${limitSeconds} seconds`,
        onSuccess: (fault) => fault,
        onTimeout
      }),
      Effect.map((fault) => ({
        figures: [
          ...messages.flatMap((message) => (message._tag === "Figure" ? [message] : [])),
          ...(job.read?.(stderr) ?? [])
        ].map(({ row, table }) => ({ table, row })),
        failures: [
          ...messages.flatMap((message) => (message._tag === "Failed" ? [message.details] : [])),
          ...(fault === undefined ? [] : [fault])
        ],
        seconds: (performance.now() - from) / 1000
      }))
    )
  })

const isDone = (messages: ReadonlyArray<Message>) => messages.some(({ _tag }) => _tag === "Done")

/** What is wrong with how a child ended, or `undefined`. */
export const faultOf = (
  messages: ReadonlyArray<Message>,
  code: number | null,
  signal: NodeJS.Signals | null,
  stderr: string
): string | undefined => {
  if (code === 0) return isDone(messages) ? undefined : "It ended before its work was done."
  const how = signal === null ? `exit status ${code}` : `signal ${signal}`
  const when = isDone(messages) ? "while it was shutting down" : "before its work was done"
  const line = stderr
    .split("\n")
    .filter((line) => /error|abort|fatal|terminate|assert/i.test(line))
    .at(-1)
  return `It ended with ${how} ${when}.${line === undefined ? "" : ` It printed: ${line.trim().slice(0, 200)}`}`
}
