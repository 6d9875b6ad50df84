/**
 * The rooms of the house and who may enter which: every import of src, read from its syntax tree.
 *
 * Oracle: rule 1 of docs/architecture.md, written here as a table from a room to what it may import. Needs nothing.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { basename, dirname, join, relative } from "node:path"
import ts from "typescript"
import { describe, expect, it } from "vitest"
import { root } from "../scripts/build.mjs"
import { builtins } from "../src/plugins/builtins.ts"

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

/** What each room may import, as beginnings of names. The entries of the package (src/*.ts) see everything but the command. */
const rooms: Record<string, ReadonlyArray<RegExp>> = {
  // fastest-levenshtein: pure arithmetic on strings, for the nearest name in an error.
  "src/core/": [/^src\/core\//, /^effect\//, /^fastest-levenshtein$/],
  "src/plugins/": [
    /^src\/core\//,
    /^src\/plugins\//,
    /^effect\//,
    /^@effect\/platform\//,
    /^(?!node:|effect$|@effect\/|src\/)/
  ],
  "src/services/": [/^src\/(core|services)\//, /^(?!src\/)/],
  // Jobs know that there are built-in plugins, and nothing of any of them.
  "src/jobs/": [/^src\/(core|services|jobs)\//, /^src\/plugins\/builtins\.ts$/, /^(?!src\/)/],
  "src/cli/": [/^src\/(core|services|jobs|cli)\//, /^(?!src\/)/],
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

  it("loads optional dependencies with `import()`, because an installation may lack them", () => {
    const { optionalDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    const optional = Object.keys(optionalDependencies)
    expect(optional).toContain("onnxruntime-node")
    const eager = imports.filter((each) => each.eager && optional.some((name) => `${each.to}/`.startsWith(`${name}/`)))
    expect(eager.map(({ from, line, to }) => `${from}:${line} imports ${to}`)).toEqual([])
  })

  it("has no circle of files, be it through types or `import()`", () => {
    const next = new Map(files.map((file) => [file, new Set<string>()]))
    for (const { from, to } of imports) if (next.has(to)) next.get(from)?.add(to)
    // Files that import nothing, or that nothing imports, are removed repeatedly. The files that are left are on a
    // circle.
    for (let before = -1; before !== next.size; ) {
      before = next.size
      const imported = new Set([...next.values()].flatMap((to) => [...to]))
      for (const [file, to] of next) if (to.size === 0 || !imported.has(file)) next.delete(file)
      for (const to of next.values()) for (const file of to) if (!next.has(file)) to.delete(file)
    }
    expect([...next].map(([file, to]) => `${file} → ${[...to].join(", ")}`)).toEqual([])
  })
})

/** Each string of a file, with its line: what a file says rather than what it imports. */
const stringsOf = (file: string): ReadonlyArray<{ readonly text: string; readonly line: number }> => {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), "utf8"), ts.ScriptTarget.ES2022, true)
  const found: Array<{ readonly text: string; readonly line: number }> = []
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node) || ts.isImportTypeNode(node)) return
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node))
      found.push({ text: node.text, line: source.getLineAndCharacterOfPosition(node.pos).line + 1 })
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

describe("no built-in plugin has a privilege", () => {
  const outside = files.filter((file) => !/^src\/(plugins|testing)\//.test(file))
  const strings = outside.flatMap((file) => stringsOf(file).map((each) => ({ file, ...each })))

  /** Names that are words of other things too, where they mean those. */
  const words: Record<string, RegExp> = {
    text: /^src\/(cli|services\/logs)\//, // a format of output, a column of a log
    ndjson: /^src\/(cli|services\/logs)\/|RunConfig\.ts$/, // a format of output; the key logging.ndjson
    loss: /^src\/core\/(training|tensor)\/|^src\/cli\/render\//, // the output of a Program
    byte: /^src\/(core\/(tokenizer|evaluation)|cli\/render|jobs)\//, // a unit
    decoder: /^src\/(core|jobs)\/(tokenizer|tokenizers)\//, // a component of a tokenizer.json
    memory: /^src\/cli\//,
    whitespace: /^src\/core\/tokenizer\//, // a pre-tokenizer
    bert: /^src\/core\/tokenizer\// // a pre-tokenizer
  }

  it.each(builtins.members.map(({ plugin }) => [plugin.kind.name, plugin.name] as const))(
    "%s %s is named by nobody else",
    (_, name) => {
      const named = strings.filter(({ file, text }) => text === name && !(words[name]?.test(file) ?? false))
      expect(named.map(({ file, line }) => `${file}:${line}`)).toEqual([])
    }
  )

  it.each(
    builtins.members.flatMap(({ plugin }) =>
      (plugin.reads ?? []).map((file) => [typeof file === "string" ? file : file.name, plugin.name] as const)
    )
  )("the files %s of %s are known to nobody else", (pattern) => {
    const ending = pattern.replace(/^.*\*/, "")
    // JSON, NDJSON and plain text are formats of much else, tokenizer.json is what codex itself writes, and help has examples.
    const elsewhere = [".json", ".ndjson", ".jsonl", ".txt", "tokenizer.json"].includes(ending)
      ? /^src\//
      : /^src\/cli\//
    const known = strings.filter(({ file, text }) => text.includes(ending) && !elsewhere.test(file))
    expect(known.map(({ file, line }) => `${file}:${line}`)).toEqual([])
  })

  it("plugins are imported by the entries of the package and by builtins.ts only", () => {
    const wrong = imports.filter(
      ({ from, to }) =>
        /^src\/plugins\/./.test(to) && !/^src\/(plugins\/|[\w]+\.ts$)/.test(from) && to !== "src/plugins/builtins.ts"
    )
    expect(wrong.map(at)).toEqual([])
  })
})

describe("what others wrote", () => {
  it.each([
    ["JSON", /JSON\.parse\(|parseJson\(/, "src/core/data/Json.ts"],
    ["YAML", /from "yaml"/, "src/services/config/ConfigStore.ts"]
  ])("%s is read in one file, within its limits", (_, pattern, only) => {
    const readers = files.filter((file) => pattern.test(readFileSync(join(root, file), "utf8")))
    expect(readers).toEqual([only])
  })
})

describe("a command", () => {
  /** Every command that runs something, with its groups: `tokenizer/train`. */
  const declared = files
    .filter((file) => file.startsWith("src/cli/"))
    .flatMap((file) =>
      [
        ...readFileSync(join(root, file), "utf8")
          .replace(/^ \*.*$/gm, "")
          .matchAll(/Command\.make\(\s*"([\w-]+)",/g)
      ].map(([, name]) => [file, name] as const)
    )

  it.each(declared)("%s holds the command %s and no other", (file, name) => {
    expect(declared.filter(([other]) => other === file)).toHaveLength(1)
    expect(file.endsWith(`/${name}.ts`)).toBe(true)
  })

  it("is one file: there is no room for handlers", () => {
    expect(files.filter((file) => /handlers?\//.test(file))).toEqual([])
  })
})

describe("names", () => {
  it("mean one thing: no two files of src share a name, but commands and plugins, which are named by what they are", () => {
    const places = new Map<string, Array<string>>()
    for (const file of files) {
      const name = basename(file).toLowerCase()
      if (
        /^src\/cli\/.*\/?[a-z-]+\.ts$/.test(file) ||
        /^src\/plugins\/\w+\/[a-z_]+\.ts$/.test(file) ||
        file.startsWith("src/testing/")
      )
        continue
      places.set(name, [...(places.get(name) ?? []), file])
    }
    expect([...places.values()].filter((all) => all.length > 1)).toEqual([])
  })
})

describe("a file of src", () => {
  it.each(files)("%s opens by saying what it is, and has at most 400 lines", (file) => {
    const text = readFileSync(join(root, file), "utf8").replace(/^(#!|\/\/\/).*\n/, "")
    expect(text.startsWith("/**")).toBe(true)
    expect(text.split("\n").length - 1).toBeLessThanOrEqual(400)
  })
})

describe("a test", () => {
  const tests = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && file !== "architecture.test.ts")
    .map((file) => join("test", file))

  it("has no limit by the clock, which a busy machine would break: it measures work (test/work.ts)", () => {
    const clocks =
      /\btimeout:|\bEffect\.timeout|\bperformance\.now\(|\bAbortSignal\.timeout|\bretry: \d|^\s*\}?,? ?[\d_]+_000\)?$/m
    expect(tests.filter((file) => clocks.test(readFileSync(join(root, file), "utf8")))).toEqual([])
  })
})

describe("docs/architecture.md", () => {
  const paths = [...readFileSync(join(root, "docs/architecture.md"), "utf8").matchAll(/`(src\/[\w./-]+)`/g)].map(
    ([, path]) => path
  )

  it("answers where things are by paths that exist", () => {
    expect(paths.length).toBeGreaterThan(20)
    expect(paths.filter((path) => path !== undefined && !existsSync(join(root, path)))).toEqual([])
  })
})
