/**
 * The hook for bash 3.2 and later: a DEBUG trap runs before a line, PROMPT_COMMAND after it, an EXIT trap at the end.
 *
 * The text of a line comes from the history, because a trap only sees single commands. No step changes `$?` or `$_`.
 */
export const bash = `# Records this shell as a codex session. Put this into ~/.bashrc, after everything that sets PROMPT_COMMAND or traps:
#   eval "$(codex logs hook bash)"
# Events go to .codex in the directory where the shell started, or to CODEX_LOG_DB_PATH. CODEX_SESSION_LOGGING=0 turns it off.
if [[ \${__codex_hook-} != "$$" && \${CODEX_SESSION_LOGGING-} != 0 ]]; then
  __codex_hook=$$
  __codex_chained=
  __codex_folder=$PWD
  export CODEX_SESSION_ID="\${CODEX_SESSION_ID:-shell-$(date -u +%Y%m%dT%H%M%SZ)-$$}"

  # Sets __codex_time: seconds since 1970 with six decimals. Before bash 5, whole seconds.
  __codex_clock() {
    if [[ -n \${EPOCHREALTIME-} ]]; then __codex_time=\${EPOCHREALTIME/[!0-9]/.}
    else __codex_time=$(date +%s).000000; fi
  }

  # Sets __codex_duration: seconds since the given time.
  __codex_since() {
    local micros
    __codex_clock
    micros=$((\${__codex_time/./} - \${1/./}))
    if ((micros < 0)); then micros=0; fi
    printf -v __codex_duration '%d.%03d' "$((micros / 1000000))" "$((micros / 1000 % 1000))"
  }

  # __codex_record <message> <options>: in the background of a subshell, so that this shell does not list it as a job.
  __codex_record() {
    local message=$1
    shift
    if [[ \${CODEX_SESSION_LOGGING-} == 0 ]]; then return 0; fi
    (
      trap '' HUP
      builtin cd -- "$__codex_folder" || exit
      if [[ -n $message ]]; then printf '%s' "$message" | command "\${CODEX_BIN:-codex}" logs record "$@" --stdin
      else command "\${CODEX_BIN:-codex}" logs record "$@" </dev/null; fi &
    ) >/dev/null 2>&1
  }

  # Before each command: remembers the first command of the line, and the time.
  __codex_debug() {
    local status=$?
    if [[ -n \${__codex_ready-} && $BASH_COMMAND != __codex_* && -z \${COMP_POINT-}\${READLINE_POINT-} ]]; then
      __codex_ready=
      __codex_first=$BASH_COMMAND
      __codex_clock
      __codex_started=$__codex_time
    fi
    # With extdebug a command is skipped if a DEBUG trap fails. An earlier trap sees the original status, except in a shell
    # that exits when a command fails (set -e).
    if [[ -z \${__codex_chained-} || $- == *e* ]]; then return 0; fi
    return "$status"
  }

  # __codex_line <status>: records the line that has just run. Lines that the history leaves out (a leading space,
  # HISTIGNORE) are not recorded; a line that it leaves out as a repetition begins with the same command.
  __codex_line() {
    local entry number text=
    entry=$(HISTTIMEFORMAT='' builtin history 1)
    if [[ -z \${__codex_seen+set} ]]; then return 0; fi
    if [[ $entry != "$__codex_seen" ]]; then
      text="\${entry#"\${entry%%[![:space:]]*}"}"
      number=\${text%%[!0-9]*}
      text=\${text:\${#number}+2}
      __codex_text=$text
      __codex_again=\${__codex_first-}
    elif [[ -n \${__codex_first-} && $__codex_first == "\${__codex_again-}" ]]; then
      text=\${__codex_text-}
    fi
    if [[ -n $text ]]; then
      __codex_clock
      set -- --metadata "status=$1" --metadata "cwd=$PWD" --at "\${__codex_started:-$__codex_time}"
      if [[ -n \${__codex_started-} ]]; then
        __codex_since "$__codex_started"
        set -- "$@" --metadata "duration=$__codex_duration"
      fi
      __codex_record "$text" --event message --role user "$@"
    fi
    __codex_first= __codex_started=
  }

  # Runs first before a prompt.
  __codex_precmd() {
    local status=$?
    __codex_ready=
    __codex_line "$status"
    if [[ $- == *e* ]]; then return 0; fi
    return "$status"
  }

  # Runs last before a prompt.
  __codex_arm() {
    __codex_seen=$(HISTTIMEFORMAT='' builtin history 1)
    __codex_ready=1
  }

  __codex_exit() {
    local status=$?
    __codex_ready=
    __codex_line "$status"
    __codex_since "$__codex_birth"
    __codex_record '' --event end --at "$__codex_time" --metadata shell=bash --metadata "status=$status" \\
      --metadata "duration=$__codex_duration"
    return "$status"
  }

  # Existing traps run after ours and see the original status. A DEBUG trap that is set in a function or a sourced file has no
  # effect outside of it, so ours is set before the first prompt.
  eval "__codex_trap=($(trap -p EXIT))"
  trap -- "__codex_exit\${__codex_trap[2]:+$'\\n'\${__codex_trap[2]}}" EXIT
  __codex_newline=$'\\n'
  __codex_late='
    __codex_late=
    eval "__codex_trap=($(trap -p DEBUG))"
    if [[ -n \${__codex_trap[2]-} ]]; then __codex_chained=1; fi
    trap -- "__codex_debug \\"\\$_\\"\${__codex_chained:+$__codex_newline\${__codex_trap[2]}}" DEBUG
  '

  # An array since bash 5.1.
  if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] > 500)) &&
    [[ $(declare -p PROMPT_COMMAND 2>/dev/null) == 'declare -a'* ]]; then
    PROMPT_COMMAND=(__codex_precmd "\${PROMPT_COMMAND[@]}" 'eval "$__codex_late"; __codex_arm')
  else
    PROMPT_COMMAND="__codex_precmd\${PROMPT_COMMAND:+$'\\n'$PROMPT_COMMAND}"$'\\n''eval "$__codex_late"; __codex_arm'
  fi

  __codex_clock
  __codex_birth=$__codex_time
  __codex_record '' --event start --at "$__codex_birth" --metadata shell=bash
fi`
