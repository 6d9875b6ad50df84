/**
 * What is wrong with a config: one issue for each wrong key, and the error that carries the issues.
 *
 * Issues are computed from the ParseError of a Schema. Its tree mirrors the schema (unions, transformations,
 * refinements), but the author of a YAML file thinks in keys. So the tree is flattened to (path, problem, expected,
 * got), and an unknown key gets the nearest known one (Suggestion.ts). `expected` is built from the type and its constraints, because the
 * description of a field says what the field is for, not which values it takes.
 */
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import * as Limits from "../data/Limits.ts"
import * as Excerpt from "../Excerpt.ts"
import * as ExitCode from "../ExitCode.ts"
import { plural } from "../Plural.ts"
import * as Keys from "./ConfigKeys.ts"
import { nearest, nearestKey } from "./Suggestion.ts"

/** One wrong key. `path` is relative to the decoded value; `key` is the same as text: `layers[0].size`. */
export class ConfigIssue extends Schema.Class<ConfigIssue>("ConfigIssue")({
  problem: Schema.Literal("unknown", "missing", "invalid"),
  path: Schema.Array(Schema.String),
  /** The valid values, in words. For an unknown key, the known keys. May be empty. */
  expected: Schema.String,
  /** The value that was found, shortened. Empty for a missing key. */
  got: Schema.String,
  /** For an unknown key, the key that was probably meant, with its parents; for an invalid value, the value. */
  nearest: Schema.optional(Schema.String),
  /** The values that `nearest` takes, in words, if these are few. */
  takes: Schema.optional(Schema.String),
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
    return this.origin === undefined ? this.sentence : `${this.origin}: ${this.sentence}`
  }
  /** The same without the place. */
  get sentence() {
    if (this.key === "" && this.details !== undefined) return this.details
    return `${this.key === "" ? "the config" : this.key}${this.fault}`
  }
  private get fault(): string {
    if (this.problem === "missing") return ` is missing; expected ${this.expected}`
    const { details, expected, got, nearest, takes } = this
    if (details !== undefined) return `: ${details}`
    const hint = nearest === undefined ? undefined : `did you mean ${nearest}?`
    if (this.problem === "invalid") return `: expected ${expected}, got ${got}${hint === undefined ? "" : `; ${hint}`}`
    return ` is unknown; ${hint ?? `known: ${expected || "none"}`}${takes === undefined ? "" : ` Its values: ${takes}`}`
  }
}

/** The lines of a message about issues. Of many, the first ones and how many more there are. */
export const linesOf = (issues: ReadonlyArray<ConfigIssue>): ReadonlyArray<string> => {
  const more = issues.length - Limits.listedFaults
  const lines = issues.slice(0, more > 0 ? Limits.listedFaults : undefined).map((issue) => issue.line)
  return more > 0 ? [...lines, `and ${plural(more, "more fault")}`] : lines
}

/** A config that cannot be used. The message has one line for each fault, with file and line. */
export class ConfigError extends Schema.TaggedError<ConfigError>()("ConfigError", {
  issues: Schema.Array(ConfigIssue)
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    return linesOf(this.issues).join("\n")
  }
}

/** A ConfigError with one fault, described by `details`. */
export const fault = (origin: string, details: string, path: ReadonlyArray<string> = []): ConfigError =>
  new ConfigError({ issues: [new ConfigIssue({ problem: "invalid", path, expected: "", got: "", details, origin })] })

/** A path as text for a message: `["layers", "0", "size"]` is `layers[0].size`. Names that a file made long are shortened. */
export const formatPath = (path: ReadonlyArray<string>): string => {
  const key = path.reduce((parents, part) => {
    const name = Excerpt.of(part)
    return /^\d+$/.test(part) ? `${parents}[${name}]` : parents === "" ? name : `${parents}.${name}`
  }, "")
  return Excerpt.of(key, longestKey)
}

/** Characters of a key in a message. */
const longestKey = 300

/** A value as JSON for a message, shortened. */
export const show = (value: unknown): string => {
  const text =
    value === undefined
      ? "nothing"
      : typeof value === "function"
        ? "a function"
        : typeof value === "number"
          ? String(value)
          : (JSON.stringify(value, withNonFinite) ?? typeof value)
  return Excerpt.of(text)
}

/** JSON has no NaN and no infinity: they are shown as text. */
const withNonFinite = (_: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isFinite(value) ? String(value) : value

/** All issues of a failed decoding, in the order of the schema. */
export const fromParseError = ({ issue }: ParseResult.ParseError): ReadonlyArray<ConfigIssue> =>
  suggest(
    flatten(issue, [], []),
    schemasOf(issue).flatMap((ast) => Keys.pathsOf(ast))
  )

/** The schema that an issue is about; none for an unknown key. */
const schemasOf = (issue: ParseResult.ParseIssue): ReadonlyArray<AST.AST> => {
  switch (issue._tag) {
    case "Pointer":
      return schemasOf(issue.issue)
    case "Unexpected":
      return []
    case "Missing":
      return [issue.ast.type]
    default:
      return [issue.ast]
  }
}

/** The same issues with the key that was probably meant, of those that are known, in the place of each unknown one. */
export const suggest = (
  issues: ReadonlyArray<ConfigIssue>,
  known: ReadonlyArray<Keys.KeyPath>
): ReadonlyArray<ConfigIssue> => {
  const wrong = new Set(issues.filter(isUnknownKey).map(({ path }) => path.join("\n")))
  const right = known.filter((path) => !wrong.has(path.join("\n")))
  // A message lists no more of them.
  return issues.map((issue, i) => {
    const near = i < Limits.listedFaults && isUnknownKey(issue) ? nearestKey(issue.path, right) : undefined
    return near === undefined ? issue : new ConfigIssue({ ...issue, nearest: formatPath(near) })
  })
}

const isUnknownKey = ({ details, problem }: ConfigIssue) => problem === "unknown" && details === undefined

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
      const keys = Keys.namesOf(issue.ast)
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
    case "Unexpected":
      return [new ConfigIssue({ problem: "unknown", path, expected: known.join(", "), got: show(issue.actual) })]
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
  if (meant === undefined) return [invalid(path, ast, issue.actual)]
  // The members that were tried: a literal of the value, such as its `type`, may have excluded others.
  const keys = [...new Set(many(issue.issues).flatMap(schemasOf).flatMap(Keys.namesOf))]
  return meant.map((found) =>
    isUnknownKey(found) && found.path.length === path.length + 1
      ? new ConfigIssue({ ...found, expected: keys.join(", ") })
      : found
  )
}

const invalid = (
  path: ReadonlyArray<string>,
  ast: AST.AST,
  actual: unknown,
  inner?: ParseResult.ParseIssue
): ConfigIssue => {
  const details = inner !== undefined && "message" in inner ? inner.message : undefined
  const near = typeof actual === "string" ? nearest(actual, literalsOf(ast)) : undefined
  return new ConfigIssue({
    problem: "invalid",
    path,
    expected: describe(ast),
    got: show(actual),
    ...(details === undefined ? {} : { details }),
    ...(near === undefined ? {} : { nearest: near })
  })
}

/** The texts among the values that a schema accepts. */
export const literalsOf = (ast: AST.AST): ReadonlyArray<string> => {
  switch (ast._tag) {
    case "Literal":
      return typeof ast.literal === "string" ? [ast.literal] : []
    case "Union":
      return ast.types.flatMap(literalsOf)
    case "Transformation":
    case "Refinement":
      return literalsOf(ast.from)
    default:
      return []
  }
}

const many = <A>(items: A | ReadonlyArray<A>): ReadonlyArray<A> => (isList(items) ? items : [items])
const isList = <A>(items: A | ReadonlyArray<A>): items is ReadonlyArray<A> => Array.isArray(items)

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
      return ast.propertySignatures.length === 0 ? "a map" : `a map with the keys ${Keys.namesOf(ast).join(", ")}`
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
