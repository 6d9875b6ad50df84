/**
 * Packages that are links. `npm install ../my-plugin` makes `node_modules/my-plugin` a link to that folder, and Node resolves the
 * imports of a module from its real path: above the folder there is no codex-ml and no effect. What such a module does not find
 * is resolved from the link instead, so it gets what the project has installed, as with `node --preserve-symlinks`.
 *
 * Node has hooks for this, which belong to the process. They change nothing that resolves without them.
 */
import * as Module from "node:module"
import { sep } from "node:path"
import { pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"

/** Resolves what modules in the real directory `home` do not find from `link`, the directory by which the project knows it. */
export const resolveFromLink = (link: string, home: string): Effect.Effect<void> =>
  Effect.sync(() => {
    // A store of packages, as pnpm has, links too, but next to the dependencies.
    if (link === home || home.split(sep).includes("node_modules")) return
    const [parent, inside] = [link, home].map((directory) => pathToFileURL(`${directory}${sep}package.json`).href)
    const source = hooks(parent!, inside!.slice(0, -"package.json".length))
    if (Predicate.hasProperty(Module, "registerHooks") && Predicate.isFunction(Module.registerHooks)) {
      Module.registerHooks({ resolve: source.sync })
    } else {
      Module.register(`data:text/javascript,${encodeURIComponent(source.async)}`)
    }
  })

interface Context {
  readonly parentURL?: string
}

/** The hook for a Node with `registerHooks` (22.15 and later), and its text for the thread that older versions run hooks in. */
const hooks = (parent: string, inside: string) => ({
  sync: (specifier: string, context: Context, next: (specifier: string, context: Context) => unknown): unknown => {
    try {
      return next(specifier, context)
    } catch (error) {
      if (!isPackage.test(specifier) || context.parentURL?.startsWith(inside) !== true) throw error
      try {
        return next(specifier, { ...context, parentURL: parent })
      } catch {
        throw error
      }
    }
  },
  async: `export const resolve = (specifier, context, next) =>
  next(specifier, context).catch((error) => {
    if (!${isPackage}.test(specifier) || !context.parentURL?.startsWith(${JSON.stringify(inside)})) throw error
    return next(specifier, { ...context, parentURL: ${JSON.stringify(parent)} }).catch(() => {
      throw error
    })
  })`
})

/** The name of a package, maybe with a path in it: no path, no URL and no import of the package itself. */
const isPackage = /^(?![./#])(?![a-z][a-z0-9+.-]*:)/i
