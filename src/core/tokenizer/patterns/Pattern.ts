/**
 * A pattern of a tokenizer.json as a regular expression of JavaScript.
 *
 * Tokenizers use the Ruby syntax of Oniguruma. It differs from JavaScript: `\s` is White_Space (U+0085 but not U+FEFF), `^` and
 * `$` are the ends of lines, `(?i:…)` and `x++` exist, scripts are properties. So each part is parsed and translated; character
 * classes use the syntax of the `v` flag with every character as a number. What JavaScript cannot express is refused with a
 * reason. One difference remains: when Oniguruma ignores case, some single characters match two (ß matches ss).
 * Source: Oniguruma's doc/RE.
 */
import * as Either from "effect/Either"
import type * as TokenizerJson from "../TokenizerJson.ts"
import { bracket, literal, makeCaseless, not, property, shorthand } from "./CharacterSets.ts"

/** Compiles a pattern to a global expression of whole code points. Left is what is wrong with it. */
export const compile = (pattern: TokenizerJson.Pattern): Either.Either<RegExp, string> =>
  "String" in pattern
    ? Either.right(new RegExp([...pattern.String].map(literal).join(""), "gv"))
    : Either.flatMap(translate(pattern.Regex), (source) =>
        Either.try({
          try: () => new RegExp(source, "gv"),
          catch: (cause) => `is not a regular expression that JavaScript can run (${String(cause)}).`
        })
      )

const translate = (source: string): Either.Either<string, string> =>
  Either.try({
    try: () => new Reader(source).all(),
    catch: (cause) => (cause instanceof Unsupported ? cause.reason : String(cause))
  })

class Unsupported {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

/** The options of `(?i)` and `(?m)`. */
interface Options {
  readonly ignoreCase: boolean
  /** A dot matches newlines too. */
  readonly dotAll: boolean
}

const switched = (options: Options, on = "", off = ""): Options => ({
  ignoreCase: on.includes("i") || (options.ignoreCase && !off.includes("i")),
  dotAll: on.includes("m") || (options.dotAll && !off.includes("m"))
})

/** One character, or a set of them. */
type Member = string | { readonly set: string }

const setOf = (member: Member) => (typeof member === "string" ? literal(member) : member.set)

const controls: { readonly [letter: string]: string } = {
  n: "\n",
  r: "\r",
  t: "\t",
  f: "\f",
  v: "\v",
  a: "\u0007",
  e: "\u001B"
}

const notNewline = not("[\\n]")
const anything = "[\\s\\S]"

/** Reads a pattern from left to right. It throws Unsupported, which `translate` catches. */
class Reader {
  private at = 0
  private groups = 0
  /** How many lookbehinds are open. */
  private behind = 0
  private caseless: ((set: string) => string) | undefined
  private readonly characters: ReadonlyArray<string>

  constructor(source: string) {
    this.characters = [...source]
  }

  all(): string {
    const translated = this.alternatives({ ignoreCase: false, dotAll: false })
    if (this.at < this.characters.length) throw new Unsupported("has a closing parenthesis without an opening one.")
    return translated
  }

  private peek(offset = 0): string {
    return this.characters[this.at + offset] ?? ""
  }

  private next(): string {
    const character = this.characters[this.at++]
    if (character === undefined) throw new Unsupported("ends unexpectedly.")
    return character
  }

  private eat(text: string): boolean {
    const found = [...text].every((character, i) => this.peek(i) === character)
    if (found) this.at += [...text].length
    return found
  }

  /** Consumes the match of a short ASCII expression, and returns its groups. */
  private take(expression: RegExp): ReadonlyArray<string | undefined> | undefined {
    const found = expression.exec(this.characters.slice(this.at, this.at + 24).join("")) ?? undefined
    this.at += found?.[0].length ?? 0
    return found
  }

  private until(end: string): string {
    let text = ""
    while (!this.eat(end)) text += this.next()
    return text
  }

  private skipComments() {
    while (this.eat("(?#")) this.until(")")
  }

  private alternatives(options: Options): string {
    let output = ""
    for (;;) {
      this.skipComments()
      if (this.at >= this.characters.length || this.peek() === ")") return output
      const [found, on, off] = this.take(/^\(\?([im]*)(?:-([im]+))?\)/) ?? []
      // As in Ruby: it applies to the end of the group, and an alternative after it belongs to what follows it.
      if (found !== undefined) output += `(?:${this.alternatives(switched(options, on, off))})`
      else if (this.eat("|")) output += "|"
      else output += this.quantified(this.atom(options))
    }
  }

  private quantified(atom: string): string {
    let output = atom
    for (;;) {
      this.skipComments()
      const [quantifier] = this.take(/^(?:[*+?]|\{\d+(?:,\d*)?\}|\{,\d+\})/) ?? []
      if (quantifier === undefined) return output
      const repeated = `${group(output)}${quantifier.replace(/^\{,/, "{0,")}`
      const interval = quantifier.startsWith("{")
      if (!interval && this.eat("+")) output = this.atomic(repeated)
      else if (!this.eat("?")) output = repeated
      // `{n}?` is not lazy but optional.
      else output = interval && !quantifier.includes(",") ? `(?:${repeated})?` : `${repeated}?`
    }
  }

  /** A group without backtracking into it: a lookahead matches only once. */
  private atomic(inner: string): string {
    if (this.behind > 0)
      throw new Unsupported("has an atomic group or possessive quantifier in a lookbehind, which is not supported.")
    const name = `a${this.groups++}`
    return `(?:(?=(?<${name}>${inner}))\\k<${name}>)`
  }

  private atom(options: Options): string {
    const character = this.next()
    switch (character) {
      case "(":
        return this.parenthesis(options)
      case "[":
        return this.characterClass(options)
      case "*":
      case "+":
      case "?":
        throw new Unsupported(`has nothing to repeat before ${character}.`)
      case ".":
        return options.dotAll ? anything : notNewline
      case "^":
        return `(?<!${notNewline})`
      case "$":
        return `(?!${notNewline})`
      case "\\":
        return this.escape(options)
      default:
        return this.folded(literal(character), options)
    }
  }

  private parenthesis(options: Options): string {
    const inside = (changed = options) => {
      const output = this.alternatives(changed)
      if (!this.eat(")")) throw new Unsupported("has an opening parenthesis without a closing one.")
      return output
    }
    for (const opening of ["?=", "?!"]) if (this.eat(opening)) return `(${opening}${inside()})`
    for (const opening of ["?<=", "?<!"]) {
      if (!this.eat(opening)) continue
      this.behind++
      const output = `(${opening}${inside()})`
      this.behind--
      return output
    }
    if (this.eat("?>")) return this.atomic(inside())
    const [found, on, off] = this.take(/^\?([im]*)(?:-([im]+))?:/) ?? []
    if (found !== undefined) return `(?:${inside(switched(options, on, off))})`
    if (this.eat("?<") || this.eat("?P<")) this.until(">")
    else if (this.peek() === "?") throw new Unsupported(`has the group (?${this.peek(1)}…), which is not supported.`)
    // Groups are never referred to: only the whole match counts.
    return `(?:${inside()})`
  }

  /** After a backslash, outside of a class. */
  private escape(options: Options): string {
    if (this.eat("A")) return "(?<![\\s\\S])"
    if (this.eat("z")) return "(?![\\s\\S])"
    if (this.eat("Z")) return "(?=\\n?(?![\\s\\S]))"
    const word = shorthand("w", false)
    if (this.eat("b")) return `(?:(?<=${word})(?!${word})|(?<!${word})(?=${word}))`
    if (this.eat("B")) return `(?:(?<=${word})(?=${word})|(?<!${word})(?!${word}))`
    if (this.eat("R")) return this.atomic("\\r\\n|[\\n\\v\\f\\r\\u{85}\\u{2028}\\u{2029}]")
    if (this.eat("N")) return notNewline
    if (this.eat("O")) return anything
    const member = this.member(false)
    // Properties ignore case only inside a class.
    return typeof member === "string" ? this.folded(literal(member), options) : member.set
  }

  /** After a backslash. */
  private member(inClass: boolean): Member {
    const octal = this.take(/^0([0-7]{0,2})/)?.[1]
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(`0${octal}`, 8))
    const letter = this.next()
    if (letter === "p" || letter === "P") return this.property(letter === "P", inClass)
    if (letter === "x" || letter === "u") return this.hexadecimal(letter)
    if (letter === "b") return "\b"
    if (/[1-9cCgGkKMXyY]/.test(letter)) throw new Unsupported(`has \\${letter}, which is not supported.`)
    const set = shorthand(letter, inClass)
    if (set !== undefined) return { set }
    return (Object.hasOwn(controls, letter) ? controls[letter] : undefined) ?? letter
  }

  private property(negated: boolean, inClass: boolean): Member {
    const name = this.eat("{") ? this.until("}") : this.next()
    const set = property(name.replace(/^\^/, ""), inClass)
    if (set === undefined) {
      throw new Unsupported(`names the property ${JSON.stringify(name)}, which is not supported.`)
    }
    return { set: negated === name.startsWith("^") ? set : not(set) }
  }

  private hexadecimal(letter: "x" | "u"): string {
    const digits = this.take(letter === "x" ? /^(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{1,2}))/ : /^([0-9a-fA-F]{4})/)
    const code = Number.parseInt(digits?.[1] ?? digits?.[2] ?? "", 16)
    if (!(code <= 0x10ffff)) throw new Unsupported(`has \\${letter} without a valid code point.`)
    return String.fromCodePoint(code)
  }

  /** After `[`. Operands of `&&` become nested classes. */
  private characterClass(options: Options): string {
    const negated = this.eat("^")
    const operands: Array<string> = [""]
    for (let first = true; first || !this.eat("]"); first = false) {
      if (this.eat("&&")) operands.push("")
      else operands[operands.length - 1] += this.item(options)
    }
    const inside = operands.length === 1 ? (operands[0] ?? "") : operands.map((items) => `[${items}]`).join("&&")
    return negated ? not(`[${inside}]`) : `[${inside}]`
  }

  /** A character of a class, a range, or a class in it. */
  private item(options: Options): string {
    const [found, caret, name = ""] = this.take(/^\[:(\^?)([a-z]+):\]/) ?? []
    if (found !== undefined) {
      const set = bracket(name)
      if (set === undefined) throw new Unsupported(`names the class ${found}, which is not supported.`)
      return this.folded(caret === "" ? set : not(set), options)
    }
    if (this.eat("[")) return this.characterClass(options)
    const from = this.one()
    const isRange = typeof from === "string" && this.peek() === "-" && !["]", "["].includes(this.peek(1))
    if (!isRange) return this.folded(setOf(from), options)
    this.at++
    const to = this.one()
    if (typeof to !== "string") return `${this.folded(literal(from), options)}\\-${this.folded(to.set, options)}`
    const range = `${literal(from)}-${literal(to)}`
    return options.ignoreCase ? this.folded(`[${range}]`, options) : range
  }

  private one(): Member {
    const character = this.next()
    return character === "\\" ? this.member(true) : character
  }

  private folded(set: string, { ignoreCase }: Options): string {
    if (!ignoreCase) return set
    this.caseless ??= makeCaseless()
    return this.caseless(set)
  }
}

/** Brackets an atom that has several parts or a quantifier. */
const group = (atom: string) => (/^(?:\\u\{[0-9a-f]+\}|\[[^[\]]*\]|\(\?:[^()]*\))$/.test(atom) ? atom : `(?:${atom})`)
