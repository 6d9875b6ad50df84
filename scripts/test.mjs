/**
 * `npm test`: runs every check in turn. The last line is the result: `N passed, N failed[, N skipped]`.
 * `npm run test:full` (`--full`) also runs what is exhaustive: all characters, all lines, many random cases (test/full.ts), and
 * Effect's diagnostics, as `.ci/run` does (`--effect`).
 *
 * The checks after a failed one still run. The counts are those of the tests. Any other check that fails counts as one
 * more failure, and so does a coverage below the threshold. Rules about imports are tests (test/architecture.test.ts).
 */
import { spawn } from "node:child_process"
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { root } from "./build.mjs"

const bin = (name) => join(root, "node_modules/.bin", name)
const report = mkdtempSync(join(tmpdir(), "codex-test-"))
const results = join(report, "results.json")

const generated = ["generated code", bin("buf"), "generate"]
const format = ["format and lint", bin("biome"), "ci", "--error-on-warnings", "."]
const build = ["build", process.execPath, "scripts/build.mjs"]
const types = ["types", process.execPath, "node_modules/typescript-native/bin/tsc", "--noEmit", "-p", "."]
const published = ["package", bin("publint"), "--strict"]
const reporters = ["--reporter=default", "--reporter=json", `--outputFile=${results}`]
const tests = ["tests", bin("vitest"), "run", "--coverage", ...reporters]
const diagnostics = ["diagnostics", "--project", "tsconfig.effect.json", "--strict"]
const effect = ["Effect diagnostics", bin("effect-language-service"), ...diagnostics]

const environment = process.argv.includes("--full") ? { ...process.env, CODEX_TEST_FULL: "1" } : process.env
const withEffect = process.argv.includes("--effect") || process.argv.includes("--full")
/** Those of a line run side by side. After the build come the examples, which import the built package, and the built command. */
const stages = [[generated], [build, format], [types, published], [tests, ...(withEffect ? [effect] : [])]]
const failed = []
for (const [first, ...others] of stages) {
  const beside = others.map(captured)
  await run(first)
  for (const report of beside) await report()
}

async function run([name, command, ...args]) {
  console.log(`\n== ${name}`)
  const { seconds, status } = await timed(command, args, "inherit")
  verdict(name, status, seconds)
}

/** Starts a check. The result is a function that waits for it and prints what it said. */
function captured([name, command, ...args]) {
  const output = join(report, `${name}.txt`)
  const log = openSync(output, "w")
  const end = timed(command, args, ["ignore", log, log])
  return async () => {
    const { seconds, status } = await end
    console.log(`\n== ${name}\n${readFileSync(output, "utf8").trim()}`)
    verdict(name, status, seconds)
  }
}

/** Runs a program to its end. */
function timed(command, args, stdio) {
  const start = performance.now()
  return new Promise((resolve) => {
    const end = (status) => resolve({ status, seconds: (performance.now() - start) / 1000 })
    spawn(command, args, { cwd: root, env: environment, stdio })
      .on("error", (error) => {
        console.error(String(error))
        end(1)
      })
      .on("exit", end)
  })
}

function verdict(name, status, seconds) {
  console.log(`== ${name}: ${status === 0 ? "passed" : "FAILED"} in ${seconds.toFixed(1)} s`)
  if (status !== 0) failed.push(name)
}

const counts = readCounts()
rmSync(report, { recursive: true, force: true })

const failures = counts.failed + failed.filter((name) => name !== "tests" || counts.failed === 0).length
if (failed.length > 0) console.log(`\nFailed: ${failed.join(", ")}`)
console.log(`\n${counts.passed} passed, ${failures} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ""}`)
process.exitCode = failures > 0 ? 1 : 0

/** Reads the report of vitest. All counts are 0 if it could not start. A file that does not load is a failed test. */
function readCounts() {
  try {
    const json = JSON.parse(readFileSync(results, "utf8"))
    const broken = json.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0)
    return {
      passed: json.numPassedTests,
      failed: json.numFailedTests + broken.length,
      skipped: json.numPendingTests + json.numTodoTests
    }
  } catch {
    return { passed: 0, failed: 0, skipped: 0 }
  }
}
