/**
 * The keys that a schema accepts, read from its syntax tree: through optional keys, defaults, filters, unions and transformations, on
 * the side that is written. Messages, overrides and suggestions all ask here, so that none of them keeps a list.
 */
import type * as AST from "effect/SchemaAST"

/** A key with its parents, from the root. The items of a list have the key {@link item}. */
export type KeyPath = ReadonlyArray<string>

/** Stands for the index of a list. */
export const item = "[]"

/** What a schema says of the keys of a map. */
interface Fields {
  readonly named: ReadonlyMap<string, ReadonlyArray<AST.AST>>
  /** The schemas of keys that are not named, in a record; undefined if every value is accepted. */
  readonly others: ReadonlyArray<AST.AST | undefined>
}

const none: Fields = { named: new Map(), others: [] }

const fieldsOf = (ast: AST.AST): Fields => {
  switch (ast._tag) {
    case "TypeLiteral":
      return {
        named: new Map(ast.propertySignatures.map(({ name, type }) => [String(name), [type]])),
        others: ast.indexSignatures.map(({ type }) => type)
      }
    case "TupleType":
      return { named: new Map([[item, [...ast.elements, ...ast.rest].map(({ type }) => type)]]), others: [] }
    case "Union":
      return ast.types.map(fieldsOf).reduce(joined, none)
    case "Transformation":
    case "Refinement":
      return fieldsOf(ast.from)
    case "Suspend":
      return fieldsOf(ast.f())
    case "UnknownKeyword":
    case "AnyKeyword":
    case "ObjectKeyword":
      return { named: new Map(), others: [undefined] }
    default:
      return none
  }
}

const joined = (a: Fields, b: Fields): Fields => {
  const named = new Map(a.named)
  for (const [name, types] of b.named) named.set(name, [...(named.get(name) ?? []), ...types])
  return { named, others: [...a.others, ...b.others] }
}

/** The names of a map's keys. Other keys may be accepted too, see {@link accepts}. */
export const namesOf = (ast: AST.AST): ReadonlyArray<string> =>
  [...fieldsOf(ast).named.keys()].filter((name) => name !== item)

/** The schemas of the value at a path. Undefined stands for one that accepts every value. */
const at = (ast: AST.AST, path: KeyPath): ReadonlyArray<AST.AST | undefined> =>
  path.reduce<ReadonlyArray<AST.AST | undefined>>(
    (schemas, part) =>
      schemas.flatMap((schema) => {
        if (schema === undefined) return [undefined]
        const { named, others } = fieldsOf(schema)
        return named.get(part) ?? (/^\d+$/.test(part) ? named.get(item) : undefined) ?? others
      }),
    [ast]
  )

/** Whether a value may be written at a path. */
export const accepts = (ast: AST.AST, path: KeyPath): boolean => at(ast, path).length > 0

/** The names of the keys below a path. */
export const namesAt = (ast: AST.AST, path: KeyPath): ReadonlyArray<string> => [
  ...new Set(at(ast, path).flatMap((schema) => (schema === undefined ? [] : namesOf(schema))))
]

/** The schema of the value at a path, if there is exactly one. */
export const schemaAt = (ast: AST.AST, path: KeyPath): AST.AST | undefined => {
  const [only, ...more] = at(ast, path)
  return more.length === 0 ? only : undefined
}

/** All keys at any depth, each after its parents. A schema that contains itself is followed for a few levels. */
export const pathsOf = (ast: AST.AST, levels = 6): ReadonlyArray<KeyPath> =>
  levels === 0
    ? []
    : [...fieldsOf(ast).named].flatMap(([name, types]) => [
        [name],
        ...types.flatMap((type) => pathsOf(type, levels - 1)).map((path) => [name, ...path])
      ])

/**
 * The paths of the sections that name a plugin: those with a key `name` beside which any key is accepted, because the plugin's own
 * schema decodes them.
 */
export const pluginSections = (ast: AST.AST): ReadonlyArray<KeyPath> =>
  [[], ...pathsOf(ast, 3)].filter((path: KeyPath) =>
    at(ast, path).some((schema) => {
      if (schema === undefined) return false
      const { named, others } = fieldsOf(schema)
      return named.has("name") && others.length > 0
    })
  )
