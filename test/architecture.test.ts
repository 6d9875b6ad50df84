/**
 * The rooms of the house and who may enter which: every import of src, read from its syntax tree.
 *
 * Oracle: rule 1 of docs/architecture.md, written here as a table from a room to what it may import. Needs nothing.
 */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import ts from "typescript"
import { describe, expect, it } from "vitest"
import { root } from "../scripts/build.mjs"

interface Import {
  readonly from: string
  /** A file of src, or the name as written: `effect/Effect`, `node:fs`. */
  readonly to: string
  readonly line: number
  /** Read when the importing module is: neither a type nor `import()`. */
  readonly eager: boolean
}

const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .map((file) => join("src", file))
  .filter((file) => file.endsWith(".ts") && !file.includes("/gen/"))
  .sort()

const importsOf = (file: string): ReadonlyArray<Import> => {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), "utf8"), ts.ScriptTarget.ES2022, true)
  const found: Array<Import> = []
  const add = (name: ts.Node, eager: boolean) => {
    if (!ts.isStringLiteral(name)) throw new Error(`${file} imports what only its run knows: ${name.getText()}`)
    const to = name.text.startsWith(".") ? relative(root, join(root, dirname(file), name.text)) : name.text
    found.push({ from: file, to, line: source.getLineAndCharacterOfPosition(name.pos).line + 1, eager })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.isTypeOnly !== true)
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined)
      add(node.moduleSpecifier, !node.isTypeOnly)
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, false)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      // A plugin's file is known at run time only; PluginLoader checks it itself.
      const [argument] = node.arguments
      if (argument !== undefined && ts.isStringLiteral(argument)) add(argument, false)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

const imports = files.flatMap(importsOf)

/** What each room may import, as beginnings of names. Rooms that are not listed (cli, bin.ts, index.ts) see everything. */
const rooms: Record<string, ReadonlyArray<RegExp>> = {
  // fastest-levenshtein: pure arithmetic on strings, for the nearest name in an error.
  "src/core/": [/^src\/core\//, /^effect\//, /^fastest-levenshtein$/],
  "src/services/": [/^src\/(core|services)\//, /^(?!src\/)/],
  "src/jobs/": [/^src\/(core|services|plugins|jobs)\//, /^(?!src\/)/],
  "src/plugins/": [
    /^src\/core\//,
    /^src\/plugins\//,
    /^effect\//,
    /^@effect\/platform\//,
    /^(?!node:|effect$|@effect\/|src\/)/
  ],
  "src/testing/": [/^src\/(core|testing)\//, /^effect\//, /^@effect\//, /^vitest$/]
}

const at = ({ from, line, to }: Import): string => `${from}:${line} imports ${to}`

describe("the arrows between the rooms", () => {
  it("reads the sources", () => {
    expect(imports.some(({ from, to }) => from === "src/bin.ts" && to === "src/cli/main.ts")).toBe(true)
    expect(
      imports.filter(({ to }) => to.startsWith("src/") && !files.includes(to) && !to.includes("/gen/")).map(at)
    ).toEqual([])
  })

  for (const [room, allowed] of Object.entries(rooms))
    it(`${room} imports only what it may`, () => {
      const wrong = imports.filter(({ from, to }) => from.startsWith(room) && !allowed.some((rule) => rule.test(to)))
      expect(wrong.map(at)).toEqual([])
    })

  it("no plugin imports another kind's internals", () => {
    const kindOf = (file: string) => /^src\/plugins\/([^/]+)\//.exec(file)?.[1]
    const wrong = imports.filter(
      ({ from, to }) => kindOf(from) !== undefined && to.startsWith("src/plugins/") && kindOf(to) !== kindOf(from)
    )
    expect(wrong.map(at)).toEqual([])
  })

  it("only the command and the index see the command", () => {
    const wrong = imports.filter(
      ({ from, to }) => to.startsWith("src/cli/") && !from.startsWith("src/cli/") && from !== "src/bin.ts"
    )
    expect(wrong.map(at)).toEqual([])
  })

  it("imports Effect by module, not through a package's index, which loads all of it", () => {
    const index = /^(effect|@effect\/(?!vitest$)[^/]+)$/
    expect(imports.filter(({ to, eager }) => eager && index.test(to)).map(at)).toEqual([])
  })

  it("has no cycle of modules that load each other", () => {
    const next = new Map(files.map((file) => [file, new Set<string>()]))
    for (const { from, to, eager } of imports) if (eager && next.has(to)) next.get(from)?.add(to)
    // What is left when leaves are taken away again and again lies on a cycle, or above one.
    for (let leaves = [""]; leaves.length > 0; ) {
      leaves = [...next].filter(([, to]) => to.size === 0).map(([file]) => file)
      for (const leaf of leaves) {
        next.delete(leaf)
        for (const to of next.values()) to.delete(leaf)
      }
    }
    expect([...next].map(([file, to]) => `${file} → ${[...to].join(", ")}`)).toEqual([])
  })
})

describe("a file of src", () => {
  it.each(files)("%s opens by saying what it is, and has at most 400 lines", (file) => {
    const text = readFileSync(join(root, file), "utf8").replace(/^(#!|\/\/\/).*\n/, "")
    expect(text.startsWith("/**")).toBe(true)
    expect(text.split("\n").length - 1).toBeLessThanOrEqual(400)
  })
})
