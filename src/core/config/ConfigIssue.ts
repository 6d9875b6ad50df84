/**
 * What is wrong with a config: one issue for each wrong key, and the error that carries the issues.
 *
 * Issues are computed from the ParseError of a Schema. Its tree mirrors the schema (unions, transformations,
 * refinements), but the author of a YAML file thinks in keys. So the tree is flattened to (path, problem, expected,
 * got), and an unknown key gets the nearest known one. `expected` is built from the type and its constraints, because the
 * description of a field says what the field is for, not which values it takes.
 */
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import { closest, distance } from "fastest-levenshtein"
import * as ExitCode from "../ExitCode.ts"

/** One wrong key. `path` is relative to the decoded value; `key` is the same as text: `layers[0].size`. */
export class ConfigIssue extends Schema.Class<ConfigIssue>("ConfigIssue")({
  problem: Schema.Literal("unknown", "missing", "invalid"),
  path: Schema.Array(Schema.String),
  /** The valid values, in words. For an unknown key, the known keys. May be empty. */
  expected: Schema.String,
  /** The value that was found, shortened. Empty for a missing key. */
  got: Schema.String,
  nearest: Schema.optional(Schema.String),
  /** The message of a filter or transformation of the schema. It replaces `expected` and `got`. */
  details: Schema.optional(Schema.String),
  /** Where the value was written: `configs/model/minilm.yaml:7` or `command line`. */
  origin: Schema.optional(Schema.String)
}) {
  /** The path as text: `layers[0].size`. */
  get key() {
    return formatPath(this.path)
  }
  /** The issue as one line of a message. */
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

/** A config that cannot be used. The message has one line for each fault, with file and line. */
export class ConfigError extends Schema.TaggedError<ConfigError>()("ConfigError", {
  issues: Schema.Array(ConfigIssue)
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    return this.issues.map((issue) => issue.line).join("\n")
  }
}

/** A ConfigError with one fault, described by `details`. */
export const fault = (origin: string, details: string, path: ReadonlyArray<string> = []): ConfigError =>
  new ConfigError({ issues: [new ConfigIssue({ problem: "invalid", path, expected: "", got: "", details, origin })] })

/** A path as text: `["layers", "0", "size"]` is `layers[0].size`. */
export const formatPath = (path: ReadonlyArray<string>): string =>
  path.reduce((key, part) => (/^\d+$/.test(part) ? `${key}[${part}]` : key === "" ? part : `${key}.${part}`), "")

/** The known name closest to a mistyped one: at most a third of the letters differ, or the name is its prefix. */
export const nearest = (name: string, known: ReadonlyArray<string>): string | undefined => {
  if (known.length === 0) return undefined
  const wanted = name.toLowerCase()
  const candidate = closest(wanted, [...known])
  if (distance(wanted, candidate.toLowerCase()) <= Math.max(1, Math.ceil(candidate.length / 3))) return candidate
  return wanted.length >= 3 ? known.find((key) => key.toLowerCase().startsWith(wanted)) : undefined
}

/** A value as JSON for a message, of at most 60 characters. */
export const show = (value: unknown): string => {
  const text =
    value === undefined
      ? "nothing"
      : typeof value === "function"
        ? "a function"
        : typeof value === "number"
          ? String(value)
          : (JSON.stringify(value, withNonFinite) ?? typeof value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

/** JSON has no NaN and no infinity: they are shown as text. */
const withNonFinite = (_: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isFinite(value) ? String(value) : value

/** All issues of a failed decoding, in the order of the schema. */
export const fromParseError = (error: ParseResult.ParseError): ReadonlyArray<ConfigIssue> =>
  flatten(error.issue, [], [])

/** The keys given to a struct without fields. Schema accepts any value for such a struct, as the type `{}` does. */
export const excessOfEmpty = (ast: AST.AST, input: unknown): ReadonlyArray<ConfigIssue> =>
  AST.isTypeLiteral(ast) &&
  ast.propertySignatures.length + ast.indexSignatures.length === 0 &&
  Predicate.isObject(input)
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
      // For a value of another type, say what the filter requires as well: `an integer ≥ 1` instead of `a number`.
      return AST.isTypeLiteral(issue.ast.from) || issues.some((found) => found.path.length > path.length)
        ? issues
        : [invalid(path, issue.ast, issue.actual)]
    }
    case "Transformation":
      return issue.kind === "Transformation"
        ? [invalid(path, issue.ast, issue.actual, issue.issue)]
        : flatten(issue.issue, path, known)
    case "Unexpected": {
      const near = nearest(path.at(-1)!, known)
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
 * A value that fits no member of a union is one fault. But if all faults for some member are at deeper keys, that member
 * was probably meant: its faults are reported, of several such members the one with the fewest.
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

/** The bounds of a filter come from its JSON Schema annotation, or else from its title or description. */
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
