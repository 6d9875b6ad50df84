/**
 * Takes secrets out of texts before they are written down: keys and tokens by their published shapes, and what follows words
 * such as `password=`.
 *
 * A rule finds what looks like a secret; one that looks like ordinary text gets through. It makes leaks rarer, not impossible.
 * Shapes: GitHub's list of secret scanning patterns, RFC 6750 (Bearer), RFC 7468 (PEM), RFC 7519 (JWT), RFC 3986 (user info).
 */
export interface Rule {
  /** What stands in the text instead: `[redacted:name]`. */
  readonly name: string
  /** Global. Where it has a group `keep`, that beginning of the match stays. */
  readonly pattern: RegExp
}

export const defaultRules: ReadonlyArray<Rule> = [
  { name: "private-key", pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g },
  { name: "jwt", pattern: /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*/g },
  { name: "github-token", pattern: /\b(?:gh[opsur]_[A-Za-z0-9]{36,}|github_pat_\w{22,})/g },
  { name: "aws-key", pattern: /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g },
  { name: "api-key", pattern: /\b(?:sk|pk|rk)[-_](?:[a-z]+[-_])*[A-Za-z0-9_-]{20,}/g },
  { name: "hugging-face-token", pattern: /\bhf_[A-Za-z0-9]{30,}/g },
  { name: "npm-token", pattern: /\bnpm_[A-Za-z0-9]{36}\b/g },
  { name: "slack-token", pattern: /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/g },
  { name: "google-key", pattern: /\bAIza[\w-]{35}/g },
  { name: "bearer", pattern: /(?<keep>\bBearer\s+)[\w.~+/-]{8,}=*/gi },
  { name: "url-password", pattern: /(?<keep>\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:)[^\s/@]+(?=@)/gi },
  {
    name: "password",
    pattern:
      /(?<keep>\b(?:\w*_)?(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key)["']?\s*[=:]\s*["']?)[^\s"',;&]{3,}/gi
  }
]

/**
 * The text without what the rules find.
 *
 * @example
 *   redact("password=hunter2 ok", defaultRules) // "password=[redacted:password] ok"
 */
export const redact = (text: string, rules: ReadonlyArray<Rule>): string =>
  rules.reduce(
    (result, { name, pattern }) =>
      result.replace(pattern, (...found: ReadonlyArray<unknown>) => {
        const groups = found[found.length - 1]
        const keep = typeof groups === "object" && groups !== null && "keep" in groups ? String(groups.keep ?? "") : ""
        return `${keep}[redacted:${name}]`
      }),
    text
  )

/** The same for every text inside a value; a secret's own key (`password`, `token`, …) gives it away as well. */
export const redactRecord = (
  record: { readonly [key: string]: unknown },
  rules: ReadonlyArray<Rule>
): { readonly [key: string]: unknown } =>
  Object.fromEntries(
    Object.entries(record).map(([key, item]) => {
      if (typeof item !== "string") return [key, redactValue(item, rules)]
      const named = redact(`${key}=${item}`, rules)
      return [key, named.startsWith(`${key}=[redacted:`) ? named.slice(key.length + 1) : redact(item, rules)]
    })
  )

const redactValue = (value: unknown, rules: ReadonlyArray<Rule>): unknown => {
  if (typeof value === "string") return redact(value, rules)
  if (Array.isArray(value)) return value.map((item: unknown) => redactValue(item, rules))
  return isPlain(value) ? redactRecord(value, rules) : value
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value))
