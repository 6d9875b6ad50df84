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
import * as Limits from "../data/Limits.ts"
import * as Excerpt from "../Excerpt.ts"
import { type ConfigError, fault, formatPath, show } from "./ConfigIssue.ts"
import * as Node from "./ConfigNode.ts"
import { ConfigSource } from "./ConfigSource.ts"

type Resolve<A> = Effect.Effect<A, ConfigError, ConfigSource>

/** Replaces all interpolations of a config by their values. Each is evaluated once, and together they are bounded (Limits.ts). */
export const interpolate = (root: Node.MapNode): Resolve<Node.MapNode> =>
  Effect.suspend(() => {
    if (!refers(root)) return Effect.succeed(root)
    const run: Run = { root, known: new Map(), values: 0, characters: 0 }
    return Effect.map(
      Effect.forEach(root.entries, ([key, value]) => resolve(run, [key], value, []).pipe(named(key))),
      (entries) => Node.map(entries, root.origin)
    )
  })

/** One interpolation of a config. */
interface Run {
  readonly root: Node.MapNode
  /** Values of keys that interpolations refer to. */
  readonly known: Map<string, Node.Node>
  /** What interpolations have added so far. */
  values: number
  characters: number
}

const refers = (node: Node.Node): boolean => {
  switch (node._tag) {
    case "Scalar":
      return typeof node.value === "string" && node.value.includes("${")
    case "List":
      return node.items.some(refers)
    case "Map":
      return [...node.entries.values()].some(refers)
  }
}

const named = (key: string) => Effect.map((node: Node.Node): readonly [string, Node.Node] => [key, node])

/** `open` are the keys that are being resolved. An interpolation that leads back to one of them is circular. */
const resolve = (run: Run, path: Node.Path, node: Node.Node, open: ReadonlyArray<string>): Resolve<Node.Node> => {
  switch (node._tag) {
    case "Map":
      return Effect.map(
        Effect.forEach(node.entries, ([key, value]) => resolve(run, [...path, key], value, open).pipe(named(key))),
        (entries) => Node.map(entries, node.origin)
      )
    case "List":
      return Effect.map(
        Effect.forEach(node.items, (item, i) => resolve(run, [...path, String(i)], item, open)),
        (items) => Node.list(items, node.origin)
      )
    case "Scalar": {
      if (!refers(node)) return Effect.succeed(node)
      const key = path.join("\n")
      if (open.includes(key)) {
        const circle = [...open.slice(open.indexOf(key)), key].map((step) => formatPath(step.split("\n")))
        return fault(node.origin, `circular interpolation: ${Excerpt.of(circle.join(" → "), 500)}`, path)
      }
      const place = { run, path, origin: node.origin, open: [...open, key], nesting: 0 }
      if (open.length >= Limits.depth) {
        return overflow(place, `more than ${Limits.depth} interpolations lead from one to the next`)
      }
      return expand(String(node.value), place)
    }
  }
}

interface Place {
  readonly run: Run
  readonly path: Node.Path
  readonly origin: string
  readonly open: ReadonlyArray<string>
  /** How many interpolations are around this one. */
  readonly nesting: number
}

const overflow = ({ origin, path }: Place, details: string) => fault(origin, `${details}; write the value itself`, path)

/** The value of a text: that of its only interpolation, or the concatenation of its pieces. */
const expand = (text: string, place: Place): Resolve<Node.Node> =>
  Effect.gen(function* () {
    const pieces = yield* split(text, place)
    const [only] = pieces
    if (pieces.length === 1 && only?.reference === true) return yield* evaluate(only.text, place)
    let written = ""
    for (const piece of pieces) {
      written += piece.reference ? yield* textOf(piece.text, place) : piece.text
      if (place.run.characters + written.length > Limits.interpolatedCharacters + text.length) {
        const most = `${Limits.interpolatedCharacters / 2 ** 20} MiB`
        return yield* overflow(place, `interpolations produce more than ${most} of text`)
      }
    }
    if (pieces.some(({ reference }) => reference)) place.run.characters += Math.max(0, written.length - text.length)
    return Node.scalar(written, place.origin)
  })

const textOf = (expression: string, place: Place): Resolve<string> =>
  Effect.flatMap(evaluate(expression, place), (node) =>
    node._tag === "Scalar"
      ? Effect.succeed(String(node.value))
      : fault(
          place.origin,
          `${reference(expression)} is a ${node._tag.toLowerCase()} and cannot be inserted into text`,
          place.path
        )
  )

const evaluate = (expression: string, place: Place): Resolve<Node.Node> =>
  Effect.gen(function* () {
    const { open, origin, path: from, run } = place
    if (place.nesting >= Limits.depth) {
      return yield* overflow(place, `more than ${Limits.depth} interpolations are inside each other`)
    }
    const inner = yield* expand(expression, { ...place, nesting: place.nesting + 1 })
    const text = inner._tag === "Scalar" ? String(inner.value) : expression
    const resolver = /^([\w.]+):([\s\S]*)$/.exec(text)
    if (resolver !== null) return yield* callResolver(resolver[1]!, resolver[2]!, place)
    const path = text.replaceAll(/\[(\d+)\]/g, ".$1").split(".")
    const target = Node.get(run.root, path)
    if (target === undefined) return yield* fault(origin, `${reference(text)} is not a key of the config`, from)
    const key = path.join("\n")
    const value = run.known.get(key) ?? (yield* resolve(run, path, target, open))
    run.known.set(key, value)
    run.values += Node.countValues(value, Limits.repeatedValues) - 1
    if (run.values > Limits.repeatedValues) {
      return yield* overflow(place, `interpolations repeat more than ${Limits.repeatedValues} values`)
    }
    return { ...value, origin }
  })

const callResolver = (name: string, argument: string, place: Place): Resolve<Node.Node> =>
  Effect.gen(function* () {
    const source = yield* ConfigSource
    if (name === "oc.decode") return { ...(yield* source.parse(argument)), origin: place.origin }
    if (name !== "oc.env") {
      return yield* fault(
        place.origin,
        `${reference(`${Excerpt.of(name)}:…`)} is not supported; supported are oc.env and oc.decode`,
        place.path
      )
    }
    const comma = argument.indexOf(",")
    const variable = (comma < 0 ? argument : argument.slice(0, comma)).trim()
    const found = yield* Effect.option(EffectConfig.string(variable))
    if (found._tag === "Some") return Node.scalar(found.value, place.origin)
    if (comma >= 0) return Node.scalar(argument.slice(comma + 1).trim(), place.origin)
    const shown = Excerpt.of(variable)
    const remedy = `set it, or give a default: ${reference(`oc.env:${shown},default`)}`
    return yield* fault(place.origin, `the environment variable ${shown} is not set; ${remedy}`, place.path)
  })

/** An interpolation in a message. */
const reference = (expression: string) => `\${${Excerpt.of(expression, 100)}}`

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
      if (end === undefined) return fault(place.origin, `${show(text)} has a \${ without a closing }`, place.path)
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
