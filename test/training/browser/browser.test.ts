/**
 * The same bits in a browser: a page trains the model `tiny` with ONNX Runtime's WebAssembly build in Chromium, and the hash of its
 * parameters is that of device `wasm` in Node. `npm test` takes 3 updates, `npm run test:full` 100, with 1 and 2 threads.
 *
 * Oracle: Node. Needs a Chromium (`CHROMIUM` names its program; otherwise those of PATH); skipped where there is none.
 */
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, extname, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { build } from "esbuild"
import { parse } from "yaml"
import { root } from "../../../scripts/build.mjs"
import { plural } from "../../../src/core/Plural.ts"
import * as OnnxBackend from "../../../src/services/backend/OnnxBackend.ts"
import { full } from "../../full.ts"
import { type Task, trainedHash } from "./hash.ts"

const programs = ["chromium", "chromium-browser", "google-chrome", "chrome"]
const chromium =
  process.env.CHROMIUM ??
  (process.env.PATH ?? "")
    .split(delimiter)
    .flatMap((folder) => programs.map((program) => join(folder, program)))
    .find((path) => existsSync(path))

const folder = join(root, "node_modules/onnxruntime-web/dist")
const types: { readonly [extension: string]: string } = {
  ...{ ".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm" },
  ...{ ".json": "application/json", ".html": "text/html" }
}

const bundle = () =>
  build({
    entryPoints: [join(root, "test/training/browser/page.ts")],
    ...{ bundle: true, format: "esm", platform: "browser", write: false, target: "es2022", logLevel: "silent" },
    plugins: [
      {
        name: "onnxruntime-web",
        setup: ({ onResolve }) =>
          onResolve({ filter: /^onnxruntime-web$/ }, () => ({ path: "/ort/ort.wasm.min.mjs", external: true }))
      }
    ]
  })

/** Serves the page with the headers that shared memory, and so threads, need. `posted` succeeds with what the page posts. */
const serve = (page: string, task: typeof Task.Type) =>
  Effect.gen(function* () {
    const posted = yield* Deferred.make<string>()
    const files: { readonly [path: string]: () => string | Buffer } = {
      "/index.html": () => "<!doctype html><script type=module src=/page.js></script>",
      "/page.js": () => page,
      "/task.json": () => JSON.stringify(task)
    }
    const server = createServer((request, response) => {
      const path = (request.url ?? "").split("?")[0]!
      if (request.method === "POST") {
        let body = ""
        request.on("data", (piece: Buffer) => {
          body += piece.toString()
        })
        request.on("end", () => {
          response.end()
          Deferred.unsafeDone(posted, Exit.succeed(body))
        })
        return
      }
      const content = path.startsWith("/ort/") ? readFileSync(join(folder, path.slice(5))) : files[path]?.()
      response.writeHead(content === undefined ? 404 : 200, {
        ...{ "Content-Type": types[extname(path)] ?? "text/plain", "Cross-Origin-Opener-Policy": "same-origin" },
        ...{ "Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Resource-Policy": "same-origin" }
      })
      response.end(content)
    })
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () => Effect.sync(() => server.close())
    )
    const { port } = server.address() as AddressInfo
    return { posted: Deferred.await(posted), url: `http://127.0.0.1:${port}/index.html` }
  })

/** What a browser started and did not end. */
const killGroup = (pid: number | undefined) => Effect.try(() => pid !== undefined && process.kill(-pid, "SIGKILL"))

/** A browser that shows a page until the scope closes. `ended` succeeds when it ends before that. */
const browse = (program: string, url: string) =>
  Effect.gen(function* () {
    const profile = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "codex-chromium-"))),
      // A process of the browser may write to it for a moment after the browser has ended.
      (path) => Effect.ignore(Effect.try(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 })))
    )
    const ended = yield* Deferred.make<string>()
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const flags = ["--headless", "--no-sandbox", "--disable-gpu", `--user-data-dir=${profile}`]
        const browser = spawn(program, [...flags, url], { stdio: "ignore", detached: true })
        browser.on("exit", (code) => Deferred.unsafeDone(ended, Exit.succeed(`the browser ended with ${code}`)))
        return browser
      }),
      (browser) =>
        Effect.sync(() => browser.kill()).pipe(
          Effect.zipRight(Deferred.await(ended)),
          Effect.zipRight(Effect.ignore(killGroup(browser.pid)))
        )
    )
    return { ended: Deferred.await(ended) }
  })

const trainedInChromium = (program: string, task: typeof Task.Type) =>
  Effect.gen(function* () {
    const { posted, url } = yield* serve((yield* Effect.promise(bundle)).outputFiles[0]!.text, task)
    const { ended } = yield* browse(program, url)
    return yield* Effect.race(posted, ended)
  }).pipe(Effect.scoped)

describe.skipIf(chromium === undefined)("training in Chromium (skipped where no Chromium is found)", () => {
  const { name: _, ...model } = parse(readFileSync(join(root, "configs/model/tiny.yaml"), "utf8"))

  for (const threads of full ? [1, 2] : [2]) {
    it.live(`gives the bytes of device wasm in Node, with ${plural(threads, "thread")}`, () =>
      Effect.gen(function* () {
        const task = { model, steps: full ? 100 : 3, threads }
        const inNode = yield* trainedHash(task).pipe(Effect.provide(OnnxBackend.layer({ device: "wasm", threads: 1 })))
        expect(yield* trainedInChromium(chromium ?? "", task)).toBe(inNode)
      })
    )
  }
})
