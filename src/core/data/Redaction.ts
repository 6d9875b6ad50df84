/**
 * Removes secrets from texts before they are written: keys and tokens by their published formats, and values after
 * names such as `password=`.
 *
 * A rule finds what looks like a secret. A secret that looks like ordinary text is not found, so leaks become rarer,
 * not impossible. Formats: GitHub's list of secret scanning patterns, RFC 6750 (Bearer), RFC 7617 (Basic), RFC 7468
 * (PEM), RFC 7519 (JWT), RFC 3986 (user info).
 */
import * as Predicate from "effect/Predicate"

/** A pattern of secrets, and what is written instead of a match. */
export interface Rule {
  /** The name in the replacement: `[redacted:name]`. */
  readonly name: string
  /** A global expression. If it has a group `keep`, that prefix of the match is kept. */
  readonly pattern: RegExp
}

/** Names of secrets, also as suffixes of longer names: `DB_PASSWORD`, `clientSecret`, `x-api-key`. */
const secret = String.raw`\b\w*(?:password|passwd|pwd|passphrase|secret|api[_-]?key|access[_-]?key|private[_-]?key)`
/** The characters between a name, which may be quoted (also in quoted JSON), and its value. */
const is = String.raw`(?:\\?["'])?\s*[=:]\s*`

/**
 * Each is linear in the length of a text: matches cannot begin inside a run of letters, so a long run is read once.
 */
export const defaultRules: ReadonlyArray<Rule> = [
  { name: "private-key", pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g },
  { name: "jwt", pattern: /(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*/g },
  { name: "github-token", pattern: /\b(?:gh[opsur]_[A-Za-z0-9]{36,}|github_pat_\w{22,})/g },
  { name: "aws-key", pattern: /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g },
  // Must contain a digit: without one it is an ordinary name, such as sk-learn-contrib-estimators.
  { name: "api-key", pattern: /(?<![\w-])[spr]k[-_](?=[A-Za-z_-]*\d)[\w-]{20,}/g },
  { name: "hugging-face-token", pattern: /\bhf_[A-Za-z0-9]{30,}/g },
  { name: "npm-token", pattern: /\bnpm_[A-Za-z0-9]{36}\b/g },
  { name: "slack-token", pattern: /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/g },
  { name: "google-key", pattern: /\bAIza[\w-]{35}/g },
  { name: "bearer", pattern: /(?<keep>\bBearer\s+)(?=[A-Za-z.~+/_-]*\d|\S{24})[\w.~+/-]{8,}=*/gi },
  { name: "basic", pattern: /(?<keep>\bAuthorization["']?\s*[=:]\s*["']?Basic\s+)[\w+/-]+=*/gi },
  { name: "url-password", pattern: /(?<keep>:\/\/[^\s/:@"<>]*:)[^\s/"<>]+(?=@)/g },
  {
    name: "password",
    pattern: new RegExp(`(?<keep>${secret}${is}(?<quote>["']))(?:(?!\\k<quote>)[^\\\\\n]|\\\\.)+`, "gi")
  },
  { name: "password", pattern: new RegExp(`(?<keep>${secret}${is}(?:\\\\["'])?)[^\\s"'\\\\,;&]{3,}`, "gi") },
  // In this package tokens are usually parts of texts: a value of letters only, or a short one, is not a secret.
  {
    name: "token",
    pattern: new RegExp(`(?<keep>\\b\\w*token${is}(?:\\\\?["'])?)(?=[A-Za-z_-]*\\d)[A-Za-z0-9_-]{12,}`, "gi")
  }
]

/**
 * The text without the secrets that the rules find.
 *
 * @example
 *   redact("password=hunter2 ok", defaultRules) // "password=[redacted:password] ok"
 */
export const redact = (text: string, rules: ReadonlyArray<Rule>): string => {
  let result = text
  // A replacement may create a match for another rule, so this is repeated. Custom rules could repeat forever.
  for (let round = 0; round < 8; round++) {
    const before = result
    result = once(before, rules)
    if (result === before) return result
  }
  return result
}

const once = (text: string, rules: ReadonlyArray<Rule>): string =>
  rules.reduce(
    (result, { name, pattern }) =>
      result.replace(pattern, (...found: ReadonlyArray<unknown>) => {
        const groups = found.at(-1)
        const keep = Predicate.hasProperty(groups, "keep") && Predicate.isString(groups.keep) ? groups.keep : ""
        return `${keep}[redacted:${name}]`
      }),
    text
  )

/**
 * The same for every text inside a record. A text under the key of a secret (`password`, `apiKey`, …) is removed too.
 */
export const redactRecord = (
  record: { readonly [key: string]: unknown },
  rules: ReadonlyArray<Rule>
): { readonly [key: string]: unknown } => redactRecordWith(record, (text) => redact(text, rules))

/** The same with any function that removes secrets from a text. */
export const redactRecordWith = (
  record: { readonly [key: string]: unknown },
  clean: (text: string) => string
): { readonly [key: string]: unknown } =>
  Object.fromEntries(
    Object.entries(record).map(([key, item]) => {
      if (typeof item !== "string") return [key, redactValue(item, clean)]
      // In quotes, so that a password of several words is one.
      const quoted = JSON.stringify(item)
      const named = clean(`${key}=${quoted}`)
      const [, found] = /^="(\[redacted:[\w-]+\])"$/.exec(named.slice(key.length)) ?? []
      return [key, named.startsWith(key) && found !== undefined ? found : clean(item)]
    })
  )

const redactValue = (value: unknown, clean: (text: string) => string): unknown => {
  if (typeof value === "string") return clean(value)
  if (Array.isArray(value)) return value.map((item: unknown) => redactValue(item, clean))
  return isPlain(value) ? redactRecordWith(value, clean) : value
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  Predicate.isRecord(value) && [Object.prototype, null].includes(Object.getPrototypeOf(value))
