/**
 * Adds the CUDA libraries to onnxruntime-node: `npm run gpu:install` (Linux x64, CUDA 12 with cuDNN 9).
 *
 * npm's package leaves them out for their size, and its install step, which fetches them from NuGet, is off in this
 * project so that `npm ci` needs nothing but the npm registry. This runs that step once, on purpose. It installs neither
 * a driver nor CUDA itself.
 */
import { spawnSync } from "node:child_process"
import { createRequire } from "node:module"

const { resolve } = createRequire(import.meta.url)
const installed = spawnSync(process.execPath, [resolve("onnxruntime-node/script/install")], {
  env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: "cuda12" },
  encoding: "utf8",
  stdio: ["ignore", "inherit", "pipe"]
})

if (installed.status === 0) {
  console.log("The CUDA libraries are installed: use --device cuda, or CODEX_DEVICE=cuda.")
} else {
  const output = installed.stderr || String(installed.error ?? "no output")
  const unreachable = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|certificate/i
  const reason = /Invalid installation/.test(output)
    ? `There are no CUDA libraries for ${process.platform}-${process.arch}: try --device webgpu.`
    : unreachable.test(output)
      ? "The download host (NuGet) cannot be reached from here. Behind a proxy, set GLOBAL_AGENT_HTTPS_PROXY and run it again."
      : "The install step of onnxruntime-node failed; its output stands above."
  if (!/Invalid installation/.test(output) && !unreachable.test(output)) console.error(output.trim())
  console.error(`The CUDA libraries are not installed. ${reason}`)
  process.exitCode = 1
}
