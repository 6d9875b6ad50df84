/**
 * `npm run notebooks`: runs every notebook of examples/notebooks/ without a browser, with tslab's TypeScript kernel.
 *
 * It shows that the built package can be imported from a notebook. It exits with 1 if a cell throws. Executed copies are
 * written to artifacts/notebooks/. It needs dist/ (`npm run build`) and Debian's jupyter-nbconvert; it exits with 3 if
 * nbconvert is not installed.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from "node:fs"
import { delimiter, join } from "node:path"
import { root } from "./build.mjs"

const folder = join(root, "examples/notebooks")
// Debian's is tried first: another Python earlier on the PATH may have no kernel client.
const nbconvert = ["/usr/bin/jupyter-nbconvert", "jupyter-nbconvert"].find(
  (command) => spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0
)

if (nbconvert === undefined) {
  console.error(
    "jupyter-nbconvert is not installed. On Debian:\n" +
      "  apt-get install -y --no-install-recommends jupyter-nbconvert jupyter-client python3-ipykernel"
  )
  process.exit(3)
}
if (!existsSync(join(root, "dist/index.js"))) {
  console.error("dist/ is missing; the notebooks import it. Run: npm run build")
  process.exit(1)
}

// tslab's version of TypeScript cannot import a package by its own name, so codex-ml is linked as an installed one.
const link = join(folder, "node_modules/codex-ml")
mkdirSync(join(folder, "node_modules"), { recursive: true })
rmSync(link, { force: true })
symlinkSync(root, link, "junction")

const notebooks = readdirSync(folder).filter((file) => file.endsWith(".ipynb"))
for (const notebook of notebooks) {
  const { status } = spawnSync(
    nbconvert,
    [
      "--to=notebook",
      "--execute",
      "--ExecutePreprocessor.timeout=300",
      `--output-dir=${join(root, "artifacts/notebooks")}`,
      join(folder, notebook)
    ],
    {
      cwd: root,
      stdio: "inherit",
      env: {
        ...process.env,
        JUPYTER_PATH: join(root, ".jupyter"),
        PATH: [join(root, "node_modules/.bin"), process.env.PATH].join(delimiter)
      }
    }
  )
  if (status !== 0) {
    console.error(`${notebook} failed.`)
    process.exit(1)
  }
  console.log(`${notebook} succeeded.`)
}
