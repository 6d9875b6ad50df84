/**
 * A pattern of a tokenizer.json as a regular expression of JavaScript.
 *
 * Tokenizers are written for Oniguruma in its Ruby syntax. It differs where it hurts: `\s` is White_Space (U+0085 but not
 * U+FEFF), `^` and `$` are ends of lines, `(?i:…)` and `x++` exist, scripts are properties. So each piece is read and
 * written anew; character classes come out in the syntax of the `v` flag with every character as a number.
 * What cannot be said in JavaScript is refused with a reason.
 * Source: Oniguruma's doc/RE.
 */
import * as Either from "effect/Either"
import type * as TokenizerJson from "./TokenizerJson.ts"

/** A global expression of whole code points; its `lastIndex` belongs to whoever compiled it. Left is what is wrong. */
export const compile = (pattern: TokenizerJson.Pattern): Either.Either<RegExp, string> =>
  "String" in pattern
    ? Either.right(new RegExp([...pattern.String].map(literal).join(""), "gv"))
    : Either.flatMap(translate(pattern.Regex), (source) =>
        Either.try({
          try: () => new RegExp(source, "gv"),
          catch: (cause) => `is no regular expression that can be run here (${String(cause)}).`
        })
      )

const literal = (character: string) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`

/** Characters that are equal to one under Unicode's simple case folding. */
const variants = (character: string): ReadonlyArray<string> => {
  const same = new Set([character, character.toLowerCase(), character.toUpperCase()])
  if (same.has("s")) same.add("ſ")
  if (same.has("k")) same.add("\u212A")
  return [...same].filter((variant) => [...variant].length === 1)
}

const space = "\\p{White_Space}"
const word = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"

/** Classes of one letter, as the inside of a class. */
const shorthands: { readonly [letter: string]: string } = { s: space, w: word, d: "\\p{Nd}", h: "0-9a-fA-F" }

const posix: { readonly [name: string]: string } = {
  alnum: "\\p{Alphabetic}\\p{Nd}",
  alpha: "\\p{Alphabetic}",
  ascii: "\\u{0}-\\u{7f}",
  blank: "\\p{Zs}\\t",
  cntrl: "\\p{Cc}",
  digit: "\\p{Nd}",
  graph: "[\\p{Any}--[\\p{White_Space}\\p{Cc}\\p{Cn}\\p{Cs}]]",
  lower: "\\p{Lowercase}",
  print: "[[\\p{Any}--[\\p{White_Space}\\p{Cc}\\p{Cn}\\p{Cs}]]\\p{Zs}]",
  punct: "\\p{P}\\$\\+<=>\\^`\\|~",
  space,
  upper: "\\p{Uppercase}",
  word,
  xdigit: "0-9a-fA-F"
}

const controls: { readonly [letter: string]: string } = {
  n: "\n",
  r: "\r",
  t: "\t",
  f: "\f",
  v: "\v",
  a: "\u0007",
  e: "\u001B",
  0: "\0"
}

class Unsupported {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

const property = (name: string, negated: boolean): string => {
  const plain = name.replace(/^\^/, "")
  const inverted = negated !== name.startsWith("^")
  const candidates = [plain, `Script=${plain}`, `Script=${plain.replace(/^(?:Is|In)/, "")}`]
  const known = candidates.find((candidate) => Either.isRight(Either.try(() => new RegExp(`\\p{${candidate}}`, "v"))))
  const named = Object.hasOwn(posix, plain.toLowerCase()) ? posix[plain.toLowerCase()] : undefined
  if (known !== undefined) return `\\${inverted ? "P" : "p"}{${known}}`
  if (named !== undefined) return `[${inverted ? "^" : ""}${named}]`
  throw new Unsupported(`names the property ${JSON.stringify(name)}, which is not known here.`)
}

const translate = (source: string): Either.Either<string, string> =>
  Either.try({
    try: () => new Reader(source).all(),
    catch: (cause) => (cause instanceof Unsupported ? cause.reason : String(cause))
  })

/** Reads a pattern from left to right. It throws Unsupported, which `translate` catches. */
class Reader {
  private at = 0
  private groups = 0
  private readonly characters: ReadonlyArray<string>

  constructor(source: string) {
    this.characters = [...source]
  }

  all(): string {
    const translated = this.alternatives(false)
    if (this.at < this.characters.length) throw new Unsupported("has a parenthesis that closes nothing.")
    return translated
  }

  private peek(offset = 0): string {
    return this.characters[this.at + offset] ?? ""
  }

  private eat(text: string): boolean {
    const found = [...text].every((character, i) => this.peek(i) === character)
    if (found) this.at += [...text].length
    return found
  }

  private until(end: string): string {
    let text = ""
    while (!this.eat(end)) {
      if (this.at >= this.characters.length) throw new Unsupported(`lacks a ${JSON.stringify(end)}.`)
      text += this.characters[this.at++]
    }
    return text
  }

  private alternatives(ignoreCase: boolean): string {
    let output = ""
    let folding = ignoreCase
    while (this.at < this.characters.length && this.peek() !== ")") {
      if (this.eat("|")) {
        output += "|"
        continue
      }
      const [, on, off] = /^\(\?([im]*)(?:-([im]+))?\)/.exec(this.characters.slice(this.at, this.at + 8).join("")) ?? []
      if (on !== undefined && `${on}${off ?? ""}` !== "") {
        this.until(")")
        folding = on.includes("i") || (folding && off?.includes("i") !== true)
        continue
      }
      output += this.quantified(this.atom(folding))
    }
    return output
  }

  private quantified(atom: string): string {
    let output = atom
    for (;;) {
      const [quantifier] = /^(?:[*+?]|\{\d*,?\d*\})/.exec(this.characters.slice(this.at, this.at + 24).join("")) ?? []
      if (quantifier === undefined || quantifier === "{}" || quantifier === "{,}") return output
      this.at += quantifier.length
      const bounded = quantifier.replace(/^\{,/, "{0,")
      if (this.eat("?")) output = `${group(output)}${bounded}?`
      else if (!quantifier.startsWith("{") && this.eat("+")) output = this.atomic(`${group(output)}${bounded}`)
      else output = `${group(output)}${bounded}`
    }
  }

  /** What is inside is never taken back: a lookahead has matched once and for all. */
  private atomic(inner: string): string {
    const name = `a${this.groups++}`
    return `(?:(?=(?<${name}>${inner}))\\k<${name}>)`
  }

  private atom(ignoreCase: boolean): string {
    const character = this.characters[this.at++] ?? ""
    switch (character) {
      case "(":
        return this.parenthesis(ignoreCase)
      case "[":
        return this.characterClass(ignoreCase)
      case "*":
      case "+":
      case "?":
        throw new Unsupported(`repeats nothing with ${character}.`)
      case ".":
        return "[^\\n]"
      case "^":
        return "(?<![^\\n])"
      case "$":
        return "(?![^\\n])"
      case "\\":
        return this.escape(ignoreCase)
      default:
        return spelled(character, ignoreCase)
    }
  }

  private parenthesis(ignoreCase: boolean): string {
    const close = (output: string) => {
      if (!this.eat(")")) throw new Unsupported("has a parenthesis that is not closed.")
      return output
    }
    for (const opening of ["?=", "?!", "?<=", "?<!", "?:"]) {
      if (this.eat(opening)) return close(`(${opening}${this.alternatives(ignoreCase)})`)
    }
    if (this.eat("?>")) return close(this.atomic(this.alternatives(ignoreCase)))
    const [flags, on, off] = /^\?([im]*)(?:-([im]+))?:/.exec(this.characters.slice(this.at, this.at + 8).join("")) ?? []
    if (flags !== undefined && on !== undefined) {
      this.at += flags.length
      const folding = on.includes("i") || (ignoreCase && off?.includes("i") !== true)
      return close(`(?:${this.alternatives(folding)})`)
    }
    if (this.eat("?<") || this.eat("?P<")) this.until(">")
    else if (this.peek() === "?") throw new Unsupported(`has the group (?${this.peek(1)}…), which is not known here.`)
    // Nobody refers to groups: a match is a match.
    return close(`(?:${this.alternatives(ignoreCase)})`)
  }

  /** After a backslash, outside of a class. */
  private escape(ignoreCase: boolean): string {
    const letter = this.peek()
    if (this.eat("A")) return "(?<![\\s\\S])"
    if (this.eat("z")) return "(?![\\s\\S])"
    if (this.eat("Z")) return "(?=\\n?(?![\\s\\S]))"
    if (this.eat("b")) return `(?:(?<=[${word}])(?![${word}])|(?<![${word}])(?=[${word}]))`
    if (this.eat("B")) return `(?:(?<=[${word}])(?=[${word}])|(?<![${word}])(?![${word}]))`
    if (this.eat("R")) return "(?:\\r\\n|[\\n\\v\\f\\r\\u{85}\\u{2028}\\u{2029}])"
    if (/[1-9kgGKXyY]/.test(letter)) throw new Unsupported(`has \\${letter}, which is not known here.`)
    const inside = this.member()
    return typeof inside === "string" ? spelled(inside, ignoreCase) : inside.items
  }

  /** After a backslash: one character, or the items of a class. */
  private member(): string | { readonly items: string } {
    const letter = this.characters[this.at++] ?? ""
    const lower = letter.toLowerCase()
    if (lower === "p") {
      if (this.eat("{")) return { items: property(this.until("}"), letter === "P") }
      return { items: property(this.characters[this.at++] ?? "", letter === "P") }
    }
    const items = Object.hasOwn(shorthands, lower) ? shorthands[lower] : undefined
    if (items !== undefined) return { items: letter === lower ? `[${items}]` : `[^${items}]` }
    if (letter === "x" || letter === "u") return this.hexadecimal(letter)
    return (Object.hasOwn(controls, letter) ? controls[letter] : undefined) ?? letter
  }

  private hexadecimal(letter: "x" | "u"): string {
    if (this.eat("{")) return String.fromCodePoint(Number.parseInt(this.until("}"), 16))
    const digits = this.characters.slice(this.at, this.at + (letter === "x" ? 2 : 4)).join("")
    if (!/^[0-9a-fA-F]+$/.test(digits)) throw new Unsupported(`has \\${letter} without digits.`)
    this.at += digits.length
    return String.fromCodePoint(Number.parseInt(digits, 16))
  }

  /** After `[`. Operands of `&&` become classes of their own. */
  private characterClass(ignoreCase: boolean): string {
    const negated = this.eat("^")
    const operands: Array<string> = [""]
    const add = (items: string) => {
      operands[operands.length - 1] += items
    }
    for (let first = true; ; first = false) {
      if (this.at >= this.characters.length) throw new Unsupported("has a class that is not closed.")
      if (!first && this.eat("]")) break
      if (this.eat("&&")) {
        operands.push("")
        continue
      }
      if (this.eat("[:")) {
        const name = this.until(":]")
        const items = posix[name.replace(/^\^/, "")]
        if (items === undefined) throw new Unsupported(`names the class [:${name}:], which is not known here.`)
        add(name.startsWith("^") ? `[^${items}]` : `[${items}]`)
      } else if (this.eat("[")) add(this.characterClass(ignoreCase))
      else add(this.range(ignoreCase))
    }
    const inside = operands.length === 1 ? (operands[0] ?? "") : operands.map((items) => `[${items}]`).join("&&")
    return `[${negated ? "^" : ""}${inside}]`
  }

  /** One character of a class, a range, or a class in it. */
  private range(ignoreCase: boolean): string {
    const from = this.one()
    if (typeof from !== "string") return from.items
    if (this.peek() !== "-" || this.peek(1) === "]" || this.peek(1) === "[") return folded(from, ignoreCase)
    this.at++
    const to = this.one()
    if (typeof to !== "string") return `${folded(from, ignoreCase)}\\-${to.items}`
    const plain = `${literal(from)}-${literal(to)}`
    if (!ignoreCase) return plain
    const [least, most] = [from.codePointAt(0) ?? 0, to.codePointAt(0) ?? 0]
    // Wide ranges hold both cases of what they hold.
    if (most - least > 1024) return plain
    const characters = Array.from({ length: most - least + 1 }, (_, i) => String.fromCodePoint(least + i))
    return characters.map((character) => folded(character, true)).join("")
  }

  private one(): string | { readonly items: string } {
    const character = this.characters[this.at++] ?? ""
    return character === "\\" ? this.member() : character
  }
}

const folded = (character: string, ignoreCase: boolean) =>
  (ignoreCase ? variants(character) : [character]).map(literal).join("")

const spelled = (character: string, ignoreCase: boolean): string => {
  const same = ignoreCase ? variants(character) : [character]
  return same.length === 1 ? literal(character) : `[${same.map(literal).join("")}]`
}

/** An atom of several quantifiers, or of a lookbehind, needs brackets of its own. */
const group = (atom: string) =>
  /^(?:\\u\{[0-9a-f]+\}|\\[pP]\{[^}]+\}|\[[^[\]]*\]|\(\?:[^()]*\))$/.test(atom) ? atom : `(?:${atom})`
