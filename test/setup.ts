/**
 * Before each file of tests: how many random cases a property has that does not say so, and `it.effect` and its siblings, which are
 * those of @effect/vitest again.
 *
 * Its `layer(…)` writes its own methods into the `it` that all files of a process share (vitest.config.ts), so a file would
 * run its tests in the layer of a file before it, without the test clock if that one excluded the test services.
 */
import { effect, it, layer, live, prop, scoped, scopedLive } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { inFull } from "./full.ts"

FastCheck.configureGlobal({ numRuns: inFull(100, 30) })
Object.assign(it, { effect, layer, live, prop, scoped, scopedLive })
