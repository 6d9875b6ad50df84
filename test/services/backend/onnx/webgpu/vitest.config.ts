/** The suites that need WebGPU, in one fork, because a device should not be shared. Started by ../webgpu.test.ts. */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/services/backend/onnx/webgpu/*.suite.ts"],
    pool: "forks",
    poolOptions: { forks: { singleFork: true } },
    testTimeout: 600_000,
    hookTimeout: 600_000
  }
})
