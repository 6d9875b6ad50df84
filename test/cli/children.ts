/**
 * Real child processes for the tests of the command: the bundled command, and programs of TypeScript through tsx.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { root } from "../../scripts/build.mjs"

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Child {
  readonly process: ChildProcess
  readonly finished: Promise<Finished>
  /** Resolves when stdout has the text. */
  readonly said: (text: string) => Promise<void>
}

/** `node <words>` in the repository's root; the environment has no colour settings of the one who runs the tests. */
export const node = (words: ReadonlyArray<string>, env: Record<string, string> = {}, cwd: string = root): Child => {
  const { NO_COLOR: _, FORCE_COLOR: __, NODE_V8_COVERAGE: ___, ...rest } = process.env
  const child = spawn(process.execPath, words, { cwd, env: { ...rest, ...env }, stdio: ["ignore", "pipe", "pipe"] })
  let stdout = ""
  let stderr = ""
  child.stdout.on("data", (data: Buffer) => {
    stdout += data.toString()
  })
  child.stderr.on("data", (data: Buffer) => {
    stderr += data.toString()
  })
  const finished = new Promise<Finished>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  const said = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const check = () => {
        if (stdout.includes(text)) resolve()
      }
      child.stdout.on("data", check)
      child.on("close", () => reject(new Error(`ended without saying ${text}: ${stdout}${stderr}`)))
      check()
    })
  return { process: child, finished, said }
}

/** `codex <words>`, as built from the sources (test/globalSetup.ts). */
export const codex = (...words: ReadonlyArray<string>): Promise<Finished> => node(["dist/bin.js", ...words]).finished

/** A program in TypeScript under test/. */
export const program = (file: string, ...words: ReadonlyArray<string>): Child =>
  node(["--import", "tsx", file, ...words])
