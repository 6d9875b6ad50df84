/**
 * Interpolation as in OmegaConf: `${training.seed}` is the value at that key, `${oc.env:NAME}` and
 * `${oc.env:NAME,default}` are an environment variable (always a string), `${oc.decode:text}` is the text parsed as
 * YAML, and `\${` is a literal `${`.
 *
 * A string that is only an interpolation becomes the value with its type, also a map or list. Within other text the
 * value is inserted as text. Interpolations nest. Keys are absolute. Relative keys (`${.seed}`) and OmegaConf's other
 * resolvers are errors.
 */
import * as EffectConfig from "effect/Config"
import * as Effect from "effect/Effect"
import { type ConfigError, fault, formatPath } from "./ConfigIssue.ts"
import * as Node from "./ConfigNode.ts"
import { ConfigSource } from "./ConfigSource.ts"

type Resolve<A> = Effect.Effect<A, ConfigError, ConfigSource>

/** Replaces all interpolations of a config by their values. */
export const interpolate = (root: Node.MapNode): Resolve<Node.MapNode> =>
  Effect.map(
    Effect.forEach(root.entries, ([key, value]) => resolve(root, [key], value, []).pipe(named(key))),
    (entries) => Node.map(entries, root.origin)
  )

const named = (key: string) => Effect.map((node: Node.Node): readonly [string, Node.Node] => [key, node])

/** `open` are the keys that are being resolved. An interpolation that leads back to one of them is circular. */
const resolve = (
  root: Node.MapNode,
  path: Node.Path,
  node: Node.Node,
  open: ReadonlyArray<string>
): Resolve<Node.Node> => {
  switch (node._tag) {
    case "Map":
      return Effect.map(
        Effect.forEach(node.entries, ([key, value]) => resolve(root, [...path, key], value, open).pipe(named(key))),
        (entries) => Node.map(entries, node.origin)
      )
    case "List":
      return Effect.map(
        Effect.forEach(node.items, (item, i) => resolve(root, [...path, String(i)], item, open)),
        (items) => Node.list(items, node.origin)
      )
    case "Scalar": {
      if (typeof node.value !== "string" || !node.value.includes("${")) return Effect.succeed(node)
      const key = formatPath(path)
      if (open.includes(key)) {
        return fault(
          node.origin,
          `circular interpolation: ${[...open.slice(open.indexOf(key)), key].join(" → ")}`,
          path
        )
      }
      return expand(node.value, { root, path, origin: node.origin, open: [...open, key] })
    }
  }
}

interface Place {
  readonly root: Node.MapNode
  readonly path: Node.Path
  readonly origin: string
  readonly open: ReadonlyArray<string>
}

/** The value of a text: that of its only interpolation, or the concatenation of its pieces. */
const expand = (text: string, place: Place): Resolve<Node.Node> =>
  Effect.gen(function* () {
    const pieces = yield* split(text, place)
    const [only] = pieces
    if (pieces.length === 1 && only?.reference === true) return yield* evaluate(only.text, place)
    const written = yield* Effect.forEach(pieces, (piece) =>
      piece.reference
        ? Effect.flatMap(evaluate(piece.text, place), (node) =>
            node._tag === "Scalar"
              ? Effect.succeed(String(node.value))
              : fault(
                  place.origin,
                  `\${${piece.text}} is a ${node._tag.toLowerCase()} and cannot be inserted into text`,
                  place.path
                )
          )
        : Effect.succeed(piece.text)
    )
    return Node.scalar(written.join(""), place.origin)
  })

const evaluate = (expression: string, place: Place): Resolve<Node.Node> =>
  Effect.gen(function* () {
    const inner = yield* expand(expression, place)
    const text = inner._tag === "Scalar" ? String(inner.value) : expression
    const resolver = /^([\w.]+):([\s\S]*)$/.exec(text)
    if (resolver !== null) return yield* callResolver(resolver[1]!, resolver[2]!, place)
    const path = text.replaceAll(/\[(\d+)\]/g, ".$1").split(".")
    const target = Node.get(place.root, path)
    if (target === undefined) return yield* fault(place.origin, `\${${text}} is not a key of the config`, place.path)
    const value = yield* resolve(place.root, path, target, place.open)
    return { ...value, origin: place.origin }
  })

const callResolver = (name: string, argument: string, place: Place): Resolve<Node.Node> =>
  Effect.gen(function* () {
    const source = yield* ConfigSource
    if (name === "oc.decode") return { ...(yield* source.parse(argument)), origin: place.origin }
    if (name !== "oc.env") {
      return yield* fault(
        place.origin,
        `\${${name}:…} is not supported; supported are oc.env and oc.decode`,
        place.path
      )
    }
    const comma = argument.indexOf(",")
    const variable = (comma < 0 ? argument : argument.slice(0, comma)).trim()
    const found = yield* Effect.option(EffectConfig.string(variable))
    if (found._tag === "Some") return Node.scalar(found.value, place.origin)
    if (comma >= 0) return Node.scalar(argument.slice(comma + 1).trim(), place.origin)
    const remedy = `set it, or give a default: \${oc.env:${variable},default}`
    return yield* fault(place.origin, `the environment variable ${variable} is not set; ${remedy}`, place.path)
  })

interface Piece {
  readonly text: string
  readonly reference: boolean
}

/** Splits a text into plain text and the contents of `${…}`, whose braces are balanced. */
const split = (text: string, place: Place): Effect.Effect<ReadonlyArray<Piece>, ConfigError> => {
  const pieces: Array<Piece> = []
  let plain = ""
  for (let at = 0; at < text.length; at++) {
    if (text.startsWith("\\${", at)) {
      plain += "${"
      at += 2
    } else if (text.startsWith("${", at)) {
      const end = closing(text, at + 2)
      if (end === undefined)
        return fault(place.origin, `${JSON.stringify(text)} has a \${ without a closing }`, place.path)
      if (plain !== "") pieces.push({ text: plain, reference: false })
      pieces.push({ text: text.slice(at + 2, end), reference: true })
      plain = ""
      at = end
    } else plain += text[at]
  }
  if (plain !== "") pieces.push({ text: plain, reference: false })
  return Effect.succeed(pieces)
}

const closing = (text: string, from: number): number | undefined => {
  let depth = 1
  for (let at = from; at < text.length; at++) {
    if (text[at] === "{") depth++
    else if (text[at] === "}" && --depth === 0) return at
  }
  return undefined
}
