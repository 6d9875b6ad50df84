/**
 * The suites that need WebGPU, one after another, because a device should not be shared, and each in a fork of its own, because one
 * of them measures the memory of its process. Started by ../webgpu.test.ts.
 */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/services/backend/onnx/webgpu/*.suite.ts"],
    pool: "forks",
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 600_000
  }
})
