/**
 * Adds the CUDA libraries to onnxruntime-node: `npm run gpu:install` in a clone (Linux x64, CUDA 12 with cuDNN 9), and
 * `node node_modules/codex-ml/scripts/gpu-install.mjs` where codex-ml is a dependency.
 *
 * The npm package does not contain them because of their size. Its install script downloads them from NuGet, and is
 * disabled in this project so that `npm ci` needs only the npm registry. This command runs the script once. It installs
 * neither a driver nor CUDA itself.
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
  console.log("The CUDA libraries are installed. Use --device cuda or CODEX_DEVICE=cuda.")
} else {
  const output = installed.stderr || String(installed.error ?? "no output")
  const unreachable = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|certificate/i
  const reason = /Invalid installation/.test(output)
    ? `There are no CUDA libraries for ${process.platform}-${process.arch}. Try --device webgpu.`
    : unreachable.test(output)
      ? "The download host (NuGet) cannot be reached. Behind a proxy, set GLOBAL_AGENT_HTTPS_PROXY and try again."
      : "The install script of onnxruntime-node failed. Its output is above."
  if (!/Invalid installation/.test(output) && !unreachable.test(output)) console.error(output.trim())
  console.error(`The CUDA libraries are not installed. ${reason}`)
  process.exitCode = 1
}
