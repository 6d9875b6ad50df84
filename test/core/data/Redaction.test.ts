/**
 * What is removed from texts, and what is not. Oracle: invented secrets in published formats, next to ordinary
 * texts of this package's users; each is written out with what has to be left of it.
 */
import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import { defaultRules, redact, redactRecord } from "../../../src/core/data/Redaction.ts"
import { inFull } from "../../full.ts"
import { processorMillis } from "../../work.ts"

const clean = (text: string): string => redact(text, defaultRules)

/** Letters and digits, so that this file contains no complete secret. */
const made = (length: number): string => "a1B2c3D4e5".repeat(Math.ceil(length / 10)).slice(0, length)

const jwt = `eyJ${made(20)}.eyJ${made(40)}.${made(43)}`
const pem = (kind: string) =>
  `-----BEGIN ${kind}PRIVATE KEY-----\n${made(64)}\n${made(64)}\n-----END ${kind}PRIVATE KEY-----`

describe("secrets", () => {
  it.each([
    [`before ${pem("")} after`, "before [redacted:private-key] after"],
    [`${pem("RSA ")} and ${pem("OPENSSH ")}`, "[redacted:private-key] and [redacted:private-key]"],
    [`cut off: ${pem("EC ").slice(0, 80)}`, "cut off: [redacted:private-key]"],
    [`cookie=${jwt}; path=/`, "cookie=[redacted:jwt]; path=/"],
    [`git clone with ghp_${made(36)}.`, "git clone with [redacted:github-token]."],
    [`github_pat_${made(22)}_${made(59)}`, "[redacted:github-token]"],
    [`gho_${made(36)} ghs_${made(36)}`, "[redacted:github-token] [redacted:github-token]"],
    ["AKIAIOSFODNN7EXAMPLE,", "[redacted:aws-key],"],
    [`"sk-proj-${made(48)}"`, '"[redacted:api-key]"'],
    [`sk-ant-api03-${made(80)}-x_y`, "[redacted:api-key]"],
    [`sk_live_${made(24)}/pk_test_${made(24)}`, "[redacted:api-key]/[redacted:api-key]"],
    [`login hf_${made(34)}`, "login [redacted:hugging-face-token]"],
    [`//registry/:_authToken npm_${made(36)}`, "//registry/:_authToken [redacted:npm-token]"],
    [`xoxb-123456789012-${made(24)}`, "[redacted:slack-token]"],
    [`key AIza${made(35)}`, "key [redacted:google-key]"],
    [`Authorization: Bearer ${made(20)}==`, "Authorization: Bearer [redacted:bearer]"],
    [`authorization: bearer abcdefgh.ijklmnop-qrstuvwxyz`, "authorization: bearer [redacted:bearer]"],
    ["Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [redacted:basic]"],
    ["postgres://me:hunter2@db:5432/x", "postgres://me:[redacted:url-password]@db:5432/x"],
    ["redis://:p@ss:w0rd@host/0", "redis://:[redacted:url-password]@host/0"],
    ["password=hunter2 ok", "password=[redacted:password] ok"],
    ["DB_PASSWORD: hunter2, next", "DB_PASSWORD: [redacted:password], next"],
    ['{"password": "correct horse battery", "n": 1}', '{"password": "[redacted:password]", "n": 1}'],
    ["{'clientSecret':'it\\'s me'}", "{'clientSecret':'[redacted:password]'}"],
    ['{\\"apiKey\\":\\"abc123\\"}', '{\\"apiKey\\":\\"[redacted:password]\\"}'],
    ["curl -H 'x-api-key: abc123'", "curl -H 'x-api-key: [redacted:password]'"],
    [`AWS_SECRET_ACCESS_KEY=${made(40)}`, "AWS_SECRET_ACCESS_KEY=[redacted:password]"],
    ["?user=me&pwd=hunter2&page=2", "?user=me&pwd=[redacted:password]&page=2"],
    [`auth_token="${made(32)}"`, 'auth_token="[redacted:token]"'],
    [`HF_TOKEN=hf_${made(34)}`, "HF_TOKEN=[redacted:hugging-face-token]"],
    [`token: ${made(20)} and\ntoken=${made(12)}`, "token: [redacted:token] and\ntoken=[redacted:token]"]
  ])("%s", (text, expected) => {
    expect(clean(text)).toBe(expected)
  })
})

describe("ordinary texts stay", () => {
  it.each([
    "Call me Ishmael. Some years ago, never mind how long precisely",
    "step 100: loss 4.91 nats/token, 1024 tokens/s",
    "max_tokens=512 tokens: 1, 2, 3; token 17",
    'bos_token: "<s>", eos_token="</s>", unk_token: [UNK]',
    "next token: whale (0.31)",
    "token=1234",
    "the password is wrong; a secret garden; passwords: 3",
    "password=",
    "pip install scikit-learn sk-learn-contrib-estimators",
    "risk_assessment_of_long_names_1234567890",
    "the bearer certificates were lost",
    "Bearer authentication",
    "http://localhost:8080/a?b=c@d",
    "see https://example.com:443, or write to me@example.com",
    '["http://localhost:8080","me@example.com"]',
    "git@github.com:owner/name.git",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "550e8400-e29b-41d4-a716-446655440000",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----",
    "runs/2026-11-24T13-00-00Z-4f1c/checkpoints/step-00000100",
    "monkey: banana, keyboard=qwertz, key=value",
    "eyJ is how a JWT begins"
  ])("%s", (text) => {
    expect(clean(text)).toBe(text)
  })
})

describe("any text", () => {
  const pieces = [
    "password=",
    "token: ",
    '"',
    "'",
    "\\",
    " ",
    "\n",
    ":",
    "=",
    "@",
    "://",
    "/",
    "eyJ",
    ".",
    "-",
    "_",
    "sk-",
    "Bearer ",
    "[redacted:password]",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    made(12),
    "abc",
    "Authorization: Basic "
  ]
  it("is the same when it is cleaned twice (property)", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(FastCheck.oneof(FastCheck.constantFrom(...pieces), FastCheck.string({ maxLength: 5 }))),
        (parts) => {
          const once = clean(parts.join(""))
          expect(clean(once)).toBe(once)
        }
      ),
      { numRuns: inFull(3000, 1000) }
    )
  })

  it("takes time in proportion to its length", () => {
    const slow: Array<string> = []
    const units = [
      ..."aZ0_-.:/@ \n=\"'\\<",
      "a-",
      "a.",
      "a_",
      "eyJa-",
      "eyJ.",
      "eyJaaaaaaaa.",
      "sk-",
      "sk_a-",
      "-----BEGIN ",
      "-----BEGIN PRIVATE KEY-----",
      "-----END ",
      "Bearer ",
      "bearer\n",
      "://a:",
      "://",
      "a:",
      "password",
      "password ",
      "password=",
      'password="',
      "password='\\",
      "token",
      "token: ",
      "token=a",
      "xox",
      "hf_",
      "ghp_",
      "AIza",
      "AKIA",
      "npm_",
      "Authorization: Basic ",
      "a1",
      "https://a:b"
    ]
    for (const unit of units) {
      const text = unit.repeat(Math.ceil(1e6 / unit.length))
      if (processorMillis(() => clean(text)) > 3000) slow.push(unit)
    }
    expect(slow).toEqual([])
  })
})

describe("a record", () => {
  it("is cleaned in all its texts, and of what its keys say", () => {
    const record = {
      password: "correct horse\nbattery",
      apiKey: 'with "quotes" and \\',
      note: "password=hunter2 ok",
      token: "whale",
      auth: { access_token: made(20), list: ["x", `ghp_${made(36)}`, { pwd: "abc" }], n: 3, nothing: null },
      empty: "",
      date: new Date(0)
    }
    expect(redactRecord(record, defaultRules)).toEqual({
      password: "[redacted:password]",
      apiKey: "[redacted:password]",
      note: "password=[redacted:password] ok",
      token: "whale",
      auth: {
        access_token: "[redacted:token]",
        list: ["x", "[redacted:github-token]", { pwd: "[redacted:password]" }],
        n: 3,
        nothing: null
      },
      empty: "",
      date: new Date(0)
    })
  })

  it("is not changed without rules", () => {
    const record = { password: "hunter2", deep: [{ a: 'b"' }] }
    expect(redactRecord(record, [])).toEqual(record)
  })
})
