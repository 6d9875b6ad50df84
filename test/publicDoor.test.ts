/**
 * The public door: every name that `codex-ml` and its sub-paths export is documented, and has one shape.
 *
 * Oracle: TypeScript's own reading of the entries, their namespaces one level deep, and their doc comments. Needs nothing.
 */
import { join } from "node:path"
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
