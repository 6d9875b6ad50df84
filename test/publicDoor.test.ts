/**
 * The public door: every name that `codex-ml` and its sub-paths export is documented, and has one shape.
 *
 * Oracle: TypeScript's own reading of the entries, their namespaces one level deep, and their doc comments. Needs nothing.
 */
import { join, relative } from "node:path"
import ts from "typescript"
import { describe, expect, it } from "vitest"
import { root } from "../scripts/build.mjs"

const doors = {
  "codex-ml": "src/index.ts",
  "codex-ml/logs": "src/logs.ts",
  "codex-ml/tokenizers": "src/tokenizers.ts",

  "codex-ml/testing": "src/testing/index.ts"
}

const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile)
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
const program = ts.createProgram(
  Object.values(doors).map((file) => join(root, file)),
  { ...options, plugins: [], noEmit: true }
)
const checker = program.getTypeChecker()

interface Exported {
  readonly name: string
  readonly symbol: ts.Symbol
}

const resolved = (symbol: ts.Symbol): ts.Symbol =>
  symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol

const exportsOf = (symbol: ts.Symbol): ReadonlyArray<Exported> =>
  checker.getExportsOfModule(symbol).map((each) => ({ name: each.name, symbol: resolved(each) }))

const isModule = ({ flags }: ts.Symbol) =>
  (flags & ts.SymbolFlags.ValueModule) !== 0 && (flags & ts.SymbolFlags.Class) === 0

/** The names of a door, and of each of its namespaces: `Training.steps`. */
const namesOf = (file: string): ReadonlyArray<Exported> => {
  const source = program.getSourceFile(join(root, file))
  const module = source && checker.getSymbolAtLocation(source)
  if (module === undefined) throw new Error(`${file} exports nothing`)
  return exportsOf(module).flatMap((exported) =>
    isModule(exported.symbol)
      ? exportsOf(exported.symbol).map(({ name, symbol }) => ({ name: `${exported.name}.${name}`, symbol }))
      : [exported]
  )
}

/** A separate comment; the one at the top of a file belongs to the file. */
const isDocumented = (symbol: ts.Symbol): boolean =>
  symbol.getDocumentationComment(checker).length > 0 &&
  (symbol.declarations ?? []).some((declaration) => {
    const owner = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration
    const source = owner.getSourceFile()
    const ranges = ts.getLeadingCommentRanges(source.text, owner.getFullStart()) ?? []
    return ranges.some(({ pos }) => source.text.startsWith("/**", pos) && source.text.slice(0, pos).trim() !== "")
  })

/** Symbols that a program can name, with all that namespaces and the namespaces of classes contain. */
const importable = new Set<ts.Symbol>()
const collect = (symbol: ts.Symbol): void => {
  if (importable.has(symbol)) return
  importable.add(symbol)
  // `type FileError = TokenizerFileError` is a name of that class, too.
  if (symbol.flags & ts.SymbolFlags.TypeAlias) {
    const { aliasSymbol, symbol: named } = checker.getDeclaredTypeOfSymbol(symbol)
    const other = aliasSymbol ?? named
    if (other !== undefined) importable.add(other)
  }
  if (symbol.flags & ts.SymbolFlags.Module) for (const exported of exportsOf(symbol)) collect(exported.symbol)
}
for (const file of Object.values(doors)) {
  const source = program.getSourceFile(join(root, file))
  const module = source && checker.getSymbolAtLocation(source)
  if (module !== undefined) for (const { symbol } of exportsOf(module)) collect(symbol)
}

const fileOf = (declaration: ts.Declaration): string => relative(root, declaration.getSourceFile().fileName)
const isOwn = (declaration: ts.Declaration | undefined): boolean =>
  declaration !== undefined && fileOf(declaration).startsWith("src")
const isOurs = (symbol: ts.Symbol | undefined): symbol is ts.Symbol => symbol?.declarations?.some(isOwn) === true

const namedTypes = ts.SymbolFlags.Interface | ts.SymbolFlags.Class | ts.SymbolFlags.TypeAlias
const nameOf = (type: ts.Type): ts.Symbol | undefined =>
  [type.aliasSymbol, type.symbol].find(
    (each) => isOurs(each) && (each.flags & namedTypes) !== 0 && !each.name.startsWith("__")
  )
const isReference = (type: ts.Type): type is ts.TypeReference =>
  (type.flags & ts.TypeFlags.Object) !== 0 && "target" in type

/** Types of this package that occur in the type of an exported name, and that no program can import. */
const hiddenIn = (symbol: ts.Symbol): ReadonlySet<ts.Symbol> => {
  const found = new Set<ts.Symbol>()
  const seen = new Set<ts.Type>()
  const visitMembers = (type: ts.Type): void => {
    for (const signature of [...type.getCallSignatures(), ...type.getConstructSignatures()]) {
      if (!isOwn(signature.declaration)) continue
      for (const parameter of signature.getParameters()) visit(checker.getTypeOfSymbol(parameter))
      for (const parameter of signature.getTypeParameters() ?? []) visit(parameter)
      visit(signature.getReturnType())
    }
    for (const property of type.getProperties()) if (isOurs(property)) visit(checker.getTypeOfSymbol(property))
    for (const info of checker.getIndexInfosOfType(type)) visit(info.type)
  }
  const visit = (type: ts.Type, isRoot = false): void => {
    if (seen.has(type)) return
    seen.add(type)
    for (const each of type.aliasTypeArguments ?? []) visit(each)
    if (isReference(type)) for (const each of checker.getTypeArguments(type)) visit(each)
    const name = isRoot ? undefined : nameOf(type)
    if (name !== undefined) {
      if (!importable.has(name)) found.add(name)
    } else if (type.flags & ts.TypeFlags.TypeParameter) {
      const constraint = checker.getBaseConstraintOfType(type)
      if (constraint !== undefined) visit(constraint)
    } else if (type.isUnionOrIntersection()) {
      for (const each of type.types) visit(each)
    } else if (isRoot || isOurs(type.symbol)) {
      visitMembers(type)
    }
  }
  if (symbol.flags & namedTypes) visit(checker.getDeclaredTypeOfSymbol(symbol), true)
  if (symbol.flags & ts.SymbolFlags.Value) visit(checker.getTypeOfSymbol(symbol), true)
  return found
}

it("lets a program import every type that occurs in a public signature", () => {
  const hidden = new Set([...importable].flatMap((symbol) => [...hiddenIn(symbol)]))
  expect([...hidden].map(({ declarations = [], name }) => `${declarations.map(fileOf)[0]}: ${name}`).sort()).toEqual([])
})

describe.each(Object.entries(doors))("%s", (_, file) => {
  const names = namesOf(file)

  it("documents every name that it exports", () => {
    expect(names.filter(({ symbol }) => !isDocumented(symbol)).map(({ name }) => name)).toEqual([])
  })

  it("has no tag that repeats the name of its namespace: TrainingSession.TrainingSession", () => {
    const values = names.filter(({ symbol }) => symbol.flags & ts.SymbolFlags.Value).map(({ name }) => name)
    expect(values.filter((name) => /^(\w+)\.\1$/.test(name))).toEqual([])
  })
})
