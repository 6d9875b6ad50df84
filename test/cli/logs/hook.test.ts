/**
 * What `codex logs hook <shell>` prints, in real shells: bash, and zsh and fish where they are installed (fish also needs
 * `script` for a terminal, since it reports commands only there). There is no PowerShell here: only the text of its script is checked.
 *
 * Oracle: the lines that were typed, the statuses that each shell prints itself, and a `codex` that records how it was called. One bash calls the real command, and the database is read back by plain SQL's other end, `codex logs query`.
 */
import { spawn, spawnSync } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, readFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { root } from "../../../scripts/build.mjs"
import { bash } from "../../../src/cli/logs/hooks/bash.ts"
import { fish } from "../../../src/cli/logs/hooks/fish.ts"
import { powershell } from "../../../src/cli/logs/hooks/powershell.ts"
import { zsh } from "../../../src/cli/logs/hooks/zsh.ts"
import { make } from "../workspace.ts"

const { directory, remove, start, write } = make()
afterAll(remove)
const at = (name: string) => join(directory, name)

/** Where the program is found, at a place in PATH. */
const installed = (name: string) =>
  (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, name)))

/** Records its arguments, directory, session and message, each followed by a unit separator. */
const fake = `#!/bin/sh
message=
case " $* " in *" --stdin "*) message=$(cat; printf .) ;; esac
record=$(printf '%s\\037' "$@" "$PWD" "$CODEX_SESSION_ID" "$message")
printf '%s\\036' "$record" >> "$CALLS"
`

beforeAll(() => {
  write("bin/codex", fake)
  write("bin/codex-real", `#!/bin/sh\nexec "${process.execPath}" "${join(root, "dist/bin.js")}" "$@"\n`)
  for (const name of ["bin/codex", "bin/codex-real"]) chmodSync(at(name), 0o755)
  for (const [name, text] of Object.entries({ bash, zsh, fish })) write(`hook.${name}`, text)
  mkdirSync(at("home"))
})

interface Call {
  readonly event: string
  readonly at: number
  readonly options: ReadonlyArray<string>
  readonly metadata: Record<string, string>
  readonly folder: string
  readonly session: string
  readonly message: string
}

const callOf = (record: string): Call => {
  const words = record.split("\u001f").slice(0, -1)
  const [folder = "", session = "", message = ""] = words.slice(-3)
  const options = words.slice(0, -3)
  const after = (name: string) => options[options.indexOf(name) + 1] ?? ""
  expect(options.slice(0, 2)).toEqual(["logs", "record"])
  return {
    event: after("--event"),
    at: Number(after("--at")),
    options,
    metadata: Object.fromEntries(
      options.flatMap((word, i) =>
        options[i - 1] === "--metadata" ? [[word.split("=")[0], word.slice(word.indexOf("=") + 1)]] : []
      )
    ),
    folder,
    session,
    message: message.slice(0, -1)
  }
}

/** Lines typed into a shell; the calls that were made, by the time that they tell, once there are so many. */
const typed = async (
  command: readonly [string, ...ReadonlyArray<string>],
  lines: ReadonlyArray<string>,
  expected: number,
  given: Record<string, string> = {}
) => {
  const calls = at(`calls-${Math.random().toString(36).slice(2)}`)
  const { CODEX_SESSION_ID: _, CODEX_SESSION_LOGGING: __, CODEX_BIN: ___, ...env } = process.env
  const [program, ...words] = command
  const child = spawn(program, words, {
    cwd: directory,
    env: {
      ...env,
      PATH: `${at("bin")}${delimiter}${env.PATH}`,
      CALLS: calls,
      HOME: at("home"),
      HISTFILE: "",
      ...given
    },
    stdio: "pipe"
  })
  let [stdout, stderr] = ["", ""]
  child.stdout.on("data", (data: Buffer) => {
    stdout += data.toString()
  })
  child.stderr.on("data", (data: Buffer) => {
    stderr += data.toString()
  })
  child.stdin.end(lines.map((line) => `${line}\n`).join(""))
  const code = await new Promise((resolve) => child.on("close", resolve))
  const read = () => (existsSync(calls) ? readFileSync(calls, "utf8").split("\u001e").slice(0, -1) : [])
  while (read().length < expected) await new Promise((resolve) => setTimeout(resolve, 20))
  return {
    code,
    stdout,
    stderr,
    calls: read()
      .map(callOf)
      .sort((a, b) => a.at - b.at)
  }
}

/** A start, a message for each line with its status, an end; all of one session, from the folder where the shell began. */
const expectSession = (
  calls: ReadonlyArray<Call>,
  shell: string,
  lines: ReadonlyArray<readonly [string, number]>,
  status: number
) => {
  expect(calls.slice(1, -1).map(({ message, metadata }) => [message, Number(metadata.status)])).toEqual(lines)
  const [first, last] = [calls[0], calls.at(-1)]
  expect([first?.event, first?.metadata]).toEqual(["start", { shell }])
  expect([last?.event, last?.metadata]).toEqual([
    "end",
    { shell, status: `${status}`, duration: expect.stringMatching(/^\d+(\.\d{1,3})?$/) }
  ])
  expect(first?.session).toMatch(/^shell-\d{8}T\d{6}Z-\d+$/)
  for (const { event, folder, message, options, session } of calls) {
    expect([folder, session]).toEqual([directory, first?.session])
    if (event === "message") expect(options).toEqual(expect.arrayContaining(["--role", "user", "--stdin"]))
    else expect([message, options.includes("--stdin")]).toEqual(["", false])
  }
}

const seconds = (calls: ReadonlyArray<Call>, message: string) =>
  Number(calls.find((call) => call.message === message)?.metadata.duration)

describe("bash", () => {
  const interactive = ["bash", "--norc", "--noprofile", "-i"] as const

  it("records each line as it was typed, and does not change traps, prompts and statuses", async () => {
    const { calls, code, stderr, stdout } = await typed(
      interactive,
      [
        "HISTCONTROL=ignoreboth; set -m; PS1=",
        "trap 'echo \"the exit trap sees $?\"' EXIT",
        "trap 'debugged=$BASH_COMMAND' DEBUG",
        "PROMPT_COMMAND='prompted=$?;'",
        ". ./hook.bash",
        ". ./hook.bash",
        "echo hello",
        "echo hello",
        " echo secret",
        "false",
        'echo "status $? prompt $prompted $debugged"',
        "for i in 1 2; do",
        '  echo "loop $i"',
        "done",
        "cd /; sleep 0.2",
        "(exit 7)",
        "",
        `echo 'a "b" $c \\n é' | cat`,
        "jobs",
        "exit 3"
      ],
      12
    )
    expect(stdout).toBe(
      `hello\nhello\nsecret\nstatus 1 prompt 1 echo "status $? prompt $prompted $debugged"\nloop 1\nloop 2\n` +
        `a "b" $c \\n é\nthe exit trap sees 3\n`
    )
    expect(code).toBe(3)
    expect(stderr).not.toMatch(/\[\d+\]|not found|No such file/)
    expectSession(
      calls,
      "bash",
      [
        ["echo hello", 0],
        ["echo hello", 0],
        ["false", 1],
        ['echo "status $? prompt $prompted $debugged"', 0],
        ['for i in 1 2; do   echo "loop $i"; done', 0],
        ["cd /; sleep 0.2", 0],
        ["(exit 7)", 7],
        [`echo 'a "b" $c \\n é' | cat`, 0],
        ["jobs", 0],
        ["exit 3", 3]
      ],
      3
    )
    expect(seconds(calls, "cd /; sleep 0.2")).toBeGreaterThanOrEqual(0.2)
    expect(calls.find(({ message }) => message === "(exit 7)")?.metadata.cwd).toBe("/")
  })

  it("keeps an existing session, $_ and extdebug, an array of prompts, and works without codex", async () => {
    const { calls, code, stderr, stdout } = await typed(
      interactive,
      [
        "PS1=; set -u; shopt -s extdebug",
        "PROMPT_COMMAND=('a=$?' 'b=$?')",
        ". ./hook.bash",
        "echo one two",
        'echo "under $_"',
        "false",
        'echo "$? $a $b"',
        "CODEX_BIN=/nowhere/codex",
        "true not recorded",
        "CODEX_BIN=; CODEX_SESSION_LOGGING=0",
        "true not recorded either",
        "exit"
      ],
      5,
      { CODEX_SESSION_ID: "outer" }
    )
    expect(stdout).toBe("one two\nunder two\n1 1 1\n")
    expect(code).toBe(0)
    expect(stderr).not.toMatch(/\[\d+\]|not found|No such file/)
    expect(calls.map(({ event, message, session }) => [event, message, session])).toEqual([
      ["start", "", "outer"],
      ["message", "echo one two", "outer"],
      ["message", 'echo "under $_"', "outer"],
      ["message", "false", "outer"],
      ["message", 'echo "$? $a $b"', "outer"]
    ])
  })

  it("does not end a shell with `set -e`", async () => {
    const { calls, code, stdout } = await typed(
      interactive,
      ["PS1=; trap 'seen=$?' DEBUG; set -eT", ". ./hook.bash", "false || true", "f() { echo in f; }", "f", "false"],
      6
    )
    expect([code, stdout]).toEqual([1, "in f\n"])
    expect(calls.map(({ event, message }) => message || event)).toEqual([
      "start",
      "false || true",
      "f() { echo in f; }",
      "f",
      "false",
      "end"
    ])
  })

  it("does nothing if logging is turned off", async () => {
    const { calls, stdout } = await typed(
      interactive,
      ["PS1=", ". ./hook.bash", "trap -p", 'echo "[$PROMPT_COMMAND$CODEX_SESSION_ID]"', "exit"],
      0,
      { CODEX_SESSION_LOGGING: "0" }
    )
    expect([stdout, calls]).toEqual(["[]\n", []])
  })

  it("writes a session with the real command", async () => {
    mkdirSync(at("elsewhere"))
    const { stdout } = await typed(
      interactive,
      ['eval "$($CODEX_BIN logs hook bash)"', "cd elsewhere", "echo $CODEX_SESSION_ID", "exit 4"],
      0,
      { CODEX_BIN: at("bin/codex-real"), PS1: "" }
    )
    const session = stdout.trim()
    const query = () => start("logs", "query", "--session-id", session, "--format", "json").finished
    let found = await query()
    for (let tries = 0; tries < 20 && !found.stdout.includes("session_end"); tries += 1) found = await query()
    expect(JSON.parse(found.stdout)).toMatchObject([
      { role: "system", message: "session_start", session_id: session, metadata: { shell: "bash" } },
      { role: "user", message: "cd elsewhere", metadata: { status: 0 } },
      { role: "user", message: "echo $CODEX_SESSION_ID", metadata: { status: 0, cwd: at("elsewhere") } },
      { role: "user", message: "exit 4", metadata: { status: 4 } },
      { role: "system", message: "session_end", metadata: { shell: "bash", status: 4 } }
    ])
    expect(existsSync(at("elsewhere/.codex"))).toBe(false)
  })
})

describe.skipIf(!installed("zsh"))("zsh, if it is installed", () => {
  it("records each line as it was typed, and does not change hooks and statuses", async () => {
    const { calls, code, stdout } = await typed(
      ["zsh", "-f", "-i"],
      [
        "setopt histignorespace; unsetopt promptsp; PS1= PS2=",
        "precmd() { prompted=$? }",
        ". ./hook.zsh",
        ". ./hook.zsh",
        "echo hello",
        " echo secret",
        "false",
        'echo "status $? prompt $prompted"',
        "for i in 1 2; do",
        'echo "loop $i"',
        "done",
        "cd /; sleep 0.2",
        "(exit 7)",
        "",
        `print -r -- 'a "b" $c \\n é' | cat`,
        "jobs",
        "exit 3"
      ],
      12
    )
    expect(stdout).toBe('hello\nsecret\nstatus 1 prompt 1\nloop 1\nloop 2\na "b" $c \\n é\n')
    expect(code).toBe(3)
    expectSession(
      calls,
      "zsh",
      [
        [". ./hook.zsh", 0],
        ["echo hello", 0],
        ["false", 1],
        ['echo "status $? prompt $prompted"', 0],
        ['for i in 1 2; do\necho "loop $i"\ndone', 0],
        ["cd /; sleep 0.2", 0],
        ["(exit 7)", 7],
        [`print -r -- 'a "b" $c \\n é' | cat`, 0],
        ["jobs", 0],
        ["exit 3", 3]
      ],
      3
    )
    expect(seconds(calls, "cd /; sleep 0.2")).toBeGreaterThanOrEqual(0.2)
  })

  it("does nothing if logging is turned off", async () => {
    const { calls, stdout } = await typed(
      ["zsh", "-f", "-i"],
      ["PS1=; unsetopt promptsp", ". ./hook.zsh", 'echo "[$preexec_functions$CODEX_SESSION_ID]"', "exit"],
      0,
      { CODEX_SESSION_LOGGING: "0" }
    )
    expect([stdout, calls]).toEqual(["[]\n", []])
  })
})

describe.skipIf(!installed("fish") || !installed("script") || process.platform !== "linux")(
  "fish, if it is installed, on a terminal made by `script`",
  () => {
    it("records each line as it was typed, and does not change statuses", async () => {
      const { calls, code } = await typed(
        ["script", "-qec", "fish -i", "/dev/null"],
        [
          "source hook.fish",
          "source hook.fish",
          "echo hello",
          " echo secret",
          "false",
          "test $status = 1; and echo kept",
          "cd /; sleep 0.2",
          "sh -c 'exit 7'",
          `echo 'a "b" $c é' | cat`,
          "exit 3"
        ],
        10,
        { TERM: "dumb" }
      )
      expect(code).toBe(3)
      expectSession(
        calls,
        "fish",
        [
          ["source hook.fish", 0],
          ["echo hello", 0],
          ["false", 1],
          ["test $status = 1; and echo kept", 0],
          ["cd /; sleep 0.2", 0],
          ["sh -c 'exit 7'", 7],
          [`echo 'a "b" $c é' | cat`, 0],
          ["exit 3", 3]
        ],
        3
      )
      expect(seconds(calls, "cd /; sleep 0.2")).toBeGreaterThanOrEqual(0.2)
    })
  }
)

describe("scripts", () => {
  it.each(["bash", "zsh", "fish"])("of %s parse", (name) => {
    if (installed(name))
      expect(spawnSync(name, ["-n", at(`hook.${name}`)], { encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" })
  })

  it("for PowerShell keep the prompt, report the end, and close what they open", () => {
    for (const part of [
      "$global:__CodexHook -ne $PID",
      "$env:CODEX_SESSION_LOGGING",
      "$env:CODEX_BIN",
      "$global:__CodexPrompt = $function:prompt",
      "& $global:__CodexPrompt",
      "$global:LASTEXITCODE = $code",
      "Get-History -Count 1",
      "Register-EngineEvent -SourceIdentifier PowerShell.Exiting",
      "'--event', 'start'",
      "'--event', 'message', '--role', 'user'",
      "'--event', 'end'"
    ])
      expect(powershell).toContain(part)
    const code = powershell.replace(/^ *#.*$/gm, "").replace(/'[^']*'|"[^"]*"/g, "")
    for (const [open, close] of ["()", "{}", "[]"]) {
      const [opened, closed] = [open, close].map((mark) => code.split(mark ?? "").length)
      expect(opened).toBe(closed)
    }
  })
})
