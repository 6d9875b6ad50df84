/**
 * The package as a project has it: the files that package.json publishes, in the node_modules of an empty project, with links to the
 * dependencies that a package manager installs there. Nothing else of this repository can be found from it.
 */
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { root } from "../scripts/build.mjs"
import { type Finished, node } from "./cli/children.ts"

export interface Project {
  readonly directory: string
  /** Runs the command that the project has installed. */
  readonly codex: (...words: ReadonlyArray<string>) => Promise<Finished>
  /** Runs a program of the project. */
  readonly run: (source: string) => Promise<Finished>
}

/** Creates a project with the package. `without` names dependencies that could not be installed. */
export const install = ({ without = [] }: { readonly without?: ReadonlyArray<string> } = {}): Project => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "codex-project-")))
  const modules = join(directory, "node_modules")
  const link = (name: string) => {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(root, "node_modules", name), join(modules, name))
  }
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  for (const path of ["package.json", ...manifest.files])
    cpSync(join(root, path), join(modules, "codex-ml", path), {
      recursive: true,
      filter: (file) => !file.endsWith(".map")
    })
  Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.peerDependencies })
    .filter((name) => !without.includes(name))
    .forEach(link)
  const bin = join(modules, "codex-ml", manifest.bin.codex)
  chmodSync(bin, 0o755)
  writeFileSync(join(directory, "package.json"), JSON.stringify({ name: "project", type: "module", private: true }))
  // Without the session of the shell that runs the tests.
  const env = { CODEX_SESSION_ID: "", CODEX_SESSION_PID: "", CODEX_SESSION_LOGGING: "1" }
  return {
    directory,
    codex: (...words) => node([bin, ...words], env, directory).finished,
    run: (source) => node(["--input-type=module", "--eval", source], env, directory).finished
  }
}
