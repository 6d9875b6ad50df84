/**
 * A temporary directory for tests of the command, with a small text in it, and the command run there as a child
 * process.
 *
 * The text is made by a linear congruential generator from twenty words, so it is the same everywhere, and a tiny model learns
 * something of it in a second.
 */
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { root } from "../../scripts/build.mjs"
import { type Child, type Finished, node } from "./children.ts"

const words = "the a whale sea ship captain sailed deep dark old white saw and but then he she it was not".split(" ")

/** `lines` lines of twelve words. */
export const text = (seed: number, lines: number): string => {
  let state = seed
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return words[Math.floor((state / 2 ** 32) * words.length)]
  }
  return Array.from({ length: lines }, () => `${Array.from({ length: 12 }, next).join(" ")}.\n`).join("")
}

export interface Workspace {
  readonly directory: string
  readonly write: (path: string, content: string | Uint8Array) => void
  readonly start: (...words: ReadonlyArray<string>) => Child
  /** The same with variables of the environment. */
  readonly startWith: (env: Record<string, string>, ...words: ReadonlyArray<string>) => Child
  readonly codex: (...words: ReadonlyArray<string>) => Promise<Finished>
  /** Directories of runs, oldest first. */
  readonly runs: () => ReadonlyArray<string>
  readonly remove: () => void
}

export const make = (parent = tmpdir()): Workspace => {
  const directory = realpathSync(mkdtempSync(join(parent, "codex-cli-")))
  const startWith: Workspace["startWith"] = (env, ...words) =>
    node([join(root, "dist/bin.js"), ...words], env, directory)
  const start: Workspace["start"] = (...words) => startWith({}, ...words)
  const write: Workspace["write"] = (path, content) => {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), content)
  }
  for (const seed of [1, 2, 3]) write(`notes/${seed}.txt`, text(seed, 50))
  return {
    directory,
    write,
    start,
    startWith,
    codex: (...words) => start(...words).finished,
    runs: () =>
      readdirSync(directory).includes("runs")
        ? readdirSync(join(directory, "runs"))
            .filter((name) => name !== "eval")
            .sort()
            .map((name) => join("runs", name))
        : [],
    remove: () => rmSync(directory, { recursive: true, force: true })
  }
}

/** Overrides for a model that trains in a second, without a tokenizer to train. */
export const tiny = [
  "data.paths=notes/*.txt",
  "model=tiny",
  "tokenizer=byte",
  "training.batch_size=4",
  "training.max_steps=20",
  "training.eval_steps=10",
  "training.save_steps=10",
  "training.eval_windows=8",
  "backend.threads=1"
] as const
