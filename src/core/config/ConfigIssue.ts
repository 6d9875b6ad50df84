/**
 * What is wrong with a config, as data: one issue for each wrong key, computed from the tree of a Schema's
 * ParseError.
 *
 * The tree mirrors the schema (unions, transformations, refinements); a person who wrote a YAML file thinks in
 * keys. So the tree is flattened to (path, problem, expected, got), and an unknown key gets the nearest known one.
 * Descriptions that a plugin's author put on a field say what the field is for, not what its values are: `expected`
 * is built from the type and its constraints instead.
 */
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import { closest, distance } from "fastest-levenshtein"

/** One wrong key. `path` is relative to the decoded value; `key` is the same for people: `layers[0].size`. */
export class ConfigIssue extends Schema.Class<ConfigIssue>("ConfigIssue")({
  problem: Schema.Literal("unknown", "missing", "invalid"),
  path: Schema.Array(Schema.String),
  /** What would be right, in words; for an unknown key the known keys. Empty when nothing can be said. */
  expected: Schema.String,
  /** The value found, shortened; empty for a missing key. */
  got: Schema.String,
  nearest: Schema.optional(Schema.String),
  /** What a filter or transformation of the schema said itself; it then stands for expected and got. */
  details: Schema.optional(Schema.String),
  /** Where the value was written: `configs/model/minilm.yaml:7` or `command line`. */
  origin: Schema.optional(Schema.String)
}) {
  get key() {
    return formatPath(this.path)
  }
  get line() {
    const where = this.origin === undefined ? "" : `${this.origin}: `
    if (this.key === "" && this.details !== undefined) return where + this.details
    return `${where}${this.key === "" ? "the config" : this.key}${this.fault}`
  }
  private get fault(): string {
    if (this.problem === "missing") return ` is missing; expected ${this.expected}`
    if (this.problem === "unknown" && this.details === undefined)
      return ` is unknown; ${
        this.nearest === undefined ? `known: ${this.expected || "none"}` : `did you mean ${this.nearest}?`
      }`
    return this.details === undefined ? `: expected ${this.expected}, got ${this.got}` : `: ${this.details}`
  }
}

export const formatPath = (path: ReadonlyArray<string>): string =>
  path.reduce((key, part) => (/^\d+$/.test(part) ? `${key}[${part}]` : key === "" ? part : `${key}.${part}`), "")

/**
 * The known name that a mistyped one most likely stands for: at most a third of the letters differ, or it is a
 * prefix.
 */
export const nearest = (name: string, known: ReadonlyArray<string>): string | undefined => {
  if (known.length === 0) return undefined
  const wanted = name.toLowerCase()
  const candidate = closest(wanted, [...known])
  if (distance(wanted, candidate.toLowerCase()) <= Math.max(1, Math.ceil(candidate.length / 3))) return candidate
  return wanted.length >= 3 ? known.find((key) => key.toLowerCase().startsWith(wanted)) : undefined
}

/** A value as JSON for a message, at most 60 characters long. */
export const show = (value: unknown): string => {
  const text =
    value === undefined
      ? "nothing"
      : typeof value === "function"
        ? "a function"
        : (JSON.stringify(value) ?? typeof value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

/** Every issue of a failed decoding, in the order of the schema. */
export const fromParseError = (error: ParseResult.ParseError): ReadonlyArray<ConfigIssue> =>
  flatten(error.issue, [], [])

/**
 * The keys given to a struct without keys: the one struct that Schema lets anything through, as the type `{}` does.
 */
export const excessOfEmpty = (ast: AST.AST, input: unknown): ReadonlyArray<ConfigIssue> =>
  AST.isTypeLiteral(ast) &&
  ast.propertySignatures.length + ast.indexSignatures.length === 0 &&
  typeof input === "object" &&
  input !== null
    ? Object.entries(input).map(
        ([key, value]) => new ConfigIssue({ problem: "unknown", path: [key], expected: "", got: show(value) })
      )
    : []

const flatten = (
  issue: ParseResult.ParseIssue,
  path: ReadonlyArray<string>,
  known: ReadonlyArray<string>
): ReadonlyArray<ConfigIssue> => {
  switch (issue._tag) {
    case "Pointer":
      return flatten(issue.issue, [...path, ...many(issue.path).map(String)], known)
    case "Composite": {
      if (AST.isUnion(issue.ast)) return flattenUnion(issue, issue.ast, path)
      const keys = knownKeys(issue.ast)
      return many(issue.issues).flatMap((child) => flatten(child, path, keys))
    }
    case "Refinement": {
      if (issue.kind === "Predicate") return [invalid(path, issue.ast, issue.actual, issue.issue)]
      const issues = flatten(issue.issue, path, known)
      // A value of another type is told what the filter asks for as well: `an integer ≥ 1` rather than `a number`.
      return AST.isTypeLiteral(issue.ast.from) || issues.some((found) => found.path.length > path.length)
        ? issues
        : [invalid(path, issue.ast, issue.actual)]
    }
    case "Transformation":
      return issue.kind === "Transformation"
        ? [invalid(path, issue.ast, issue.actual, issue.issue)]
        : flatten(issue.issue, path, known)
    case "Unexpected": {
      const near = nearest(path.at(-1) ?? "", known)
      return [
        new ConfigIssue({
          problem: "unknown",
          path,
          expected: known.join(", "),
          got: show(issue.actual),
          ...(near === undefined ? {} : { nearest: near })
        })
      ]
    }
    case "Missing":
      return [new ConfigIssue({ problem: "missing", path, expected: describe(issue.ast.type), got: "" })]
    case "Type":
    case "Forbidden":
      return [invalid(path, issue.ast, issue.actual, issue)]
  }
}

/**
 * A value that fits no member of a union is one fault, unless it has the right outline for a member (its faults lie
 * deeper): then that member, the one with the fewest faults, is what was meant.
 */
const flattenUnion = (
  issue: ParseResult.Composite,
  ast: AST.Union,
  path: ReadonlyArray<string>
): ReadonlyArray<ConfigIssue> => {
  const members = many(issue.issues).map((child) => flatten(child, path, []))
  const deeper = members.filter((issues) => issues.every((found) => found.path.length > path.length))
  const meant = deeper.reduce<ReadonlyArray<ConfigIssue> | undefined>(
    (best, issues) => (best === undefined || issues.length < best.length ? issues : best),
    undefined
  )
  return meant ?? [invalid(path, ast, issue.actual)]
}

const invalid = (
  path: ReadonlyArray<string>,
  ast: AST.AST,
  actual: unknown,
  inner?: ParseResult.ParseIssue
): ConfigIssue => {
  const details = inner !== undefined && "message" in inner ? inner.message : undefined
  return new ConfigIssue({
    problem: "invalid",
    path,
    expected: describe(ast),
    got: show(actual),
    ...(details === undefined ? {} : { details })
  })
}

const many = <A>(items: A | ReadonlyArray<A>): ReadonlyArray<A> => (isList(items) ? items : [items])
const isList = <A>(items: A | ReadonlyArray<A>): items is ReadonlyArray<A> => Array.isArray(items)

const knownKeys = (ast: AST.AST): ReadonlyArray<string> =>
  AST.isTypeLiteral(ast) ? ast.propertySignatures.map((property) => String(property.name)) : []

/** The values that a schema accepts, in words: `an integer ≥ 1`, `"a" | "b"`, `a list`. */
export const describe = (ast: AST.AST): string => {
  switch (ast._tag) {
    case "StringKeyword":
      return "a string"
    case "NumberKeyword":
      return "a number"
    case "BooleanKeyword":
      return "true or false"
    case "Literal":
      return show(ast.literal)
    case "TypeLiteral":
      return ast.propertySignatures.length === 0 ? "a map" : `a map with the keys ${knownKeys(ast).join(", ")}`
    case "TupleType":
      return "a list"
    case "Union":
      return ast.types
        .filter((member) => !AST.isUndefinedKeyword(member))
        .map(describe)
        .join(" | ")
    case "Refinement":
      return describeRefinement(ast)
    case "Transformation":
      return describe(ast.from)
    default:
      return String(ast)
  }
}

/**
 * Filters carry their bounds as JSON Schema; a filter without any has its title or description, which its author
 * wrote.
 */
const describeRefinement = (refinement: AST.Refinement): string => {
  const bounds: Array<string> = []
  let base: AST.AST = refinement
  let integer = false
  for (; AST.isRefinement(base); base = base.from) {
    const json = Option.getOrElse(AST.getJSONSchemaAnnotation(base), (): object => ({}))
    const own = Object.entries(json).flatMap(([key, value]) => describeBound(key, value))
    integer = integer || ("type" in json && json.type === "integer")
    const text = Option.orElse(AST.getTitleAnnotation(base), () => AST.getDescriptionAnnotation(base))
    bounds.unshift(...(Object.keys(json).length > 0 || Option.isNone(text) ? own : [`(${text.value})`]))
  }
  return [integer ? "an integer" : describe(base), bounds.join(" and ")].filter((part) => part !== "").join(" ")
}

const describeBound = (key: string, value: unknown): ReadonlyArray<string> => {
  switch (key) {
    case "minimum":
      return [`≥ ${value}`]
    case "exclusiveMinimum":
      return [`> ${value}`]
    case "maximum":
      return [`≤ ${value}`]
    case "exclusiveMaximum":
      return [`< ${value}`]
    case "multipleOf":
      return [`divisible by ${value}`]
    case "minLength":
    case "minItems":
      return [`of length ≥ ${value}`]
    case "maxLength":
    case "maxItems":
      return [`of length ≤ ${value}`]
    case "pattern":
      return [`matching ${value}`]
    default:
      return []
  }
}
