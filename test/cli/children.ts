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

export interface Options {
  /** More variables for the environment, which has no colour settings of the one who runs the tests. */
  readonly env?: Record<string, string>
  /** Default: the repository's root. */
  readonly cwd?: string
  /** What is written to its stdin; without it, stdin is empty. */
  readonly input?: string | Uint8Array
}

/** Starts a program. It is not waited for synchronously: a blocked test process loses its connection to vitest. */
export const startProgram = (
  file: string,
  words: ReadonlyArray<string>,
  { env = {}, cwd = root, input }: Options = {}
): Child => {
  const { NO_COLOR: _, FORCE_COLOR: __, NODE_V8_COVERAGE: ___, ...rest } = process.env
  const child = spawn(file, words, {
    cwd,
    env: { ...rest, ...env },
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"]
  })
  // A program that does not read its stdin may end before it is written.
  child.stdin?.on("error", () => {})
  child.stdin?.end(input)
  let stdout = ""
  let stderr = ""
  child.stdout?.on("data", (data: Buffer) => {
    stdout += data.toString()
  })
  child.stderr?.on("data", (data: Buffer) => {
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
      child.stdout?.on("data", check)
      child.on("close", () => reject(new Error(`ended without saying ${text}: ${stdout}${stderr}`)))
      check()
    })
  return { process: child, finished, said }
}

/** `node <words>`. */
export const node = (words: ReadonlyArray<string>, env: Record<string, string> = {}, cwd: string = root): Child =>
  startProgram(process.execPath, words, { env, cwd })

/** `codex <words>`, as built from the sources (test/globalSetup.ts). */
export const codex = (...words: ReadonlyArray<string>): Promise<Finished> => node(["dist/bin.js", ...words]).finished

/** A program in TypeScript under test/. */
export const program = (file: string, ...words: ReadonlyArray<string>): Child =>
  node(["--import", "tsx", file, ...words])
