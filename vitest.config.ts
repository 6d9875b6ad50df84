/**
 * How the tests run: real sessions, files and child processes, in two forked processes, because that is what two cores bear.
 * Files share the modules of their process, which hold no state: loading them again for each file takes a third of the time.
 *
 * Coverage counts src without generated code and without the files that only ever run inside a child process or a worker,
 * where the coverage of this process cannot see them; the tests that start those processes check them.
 */
import { defineConfig } from "vitest/config"
import { full } from "./test/full.ts"

// For tests that hang. No test has a limit of its own: on a busy machine each takes as long as it takes.
const hang = full ? 4 * 3_600_000 : 600_000

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/globalSetup.ts"],
    setupFiles: ["test/setup.ts"],
    pool: "forks",
    poolOptions: { forks: { minForks: 1, maxForks: 2, isolate: false } },
    testTimeout: hang,
    hookTimeout: hang,
    teardownTimeout: hang,
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      exclude: [
        "src/**/gen/**",
        "src/**/*.d.ts",
        "src/bin.ts",
        "src/services/backend/onnx/OnnxWorker.ts",
        "src/services/runs/EncodeWorker.ts"
      ],
      reporter: ["text-summary", "json-summary"],
      thresholds: { lines: 90 }
    }
  }
})
