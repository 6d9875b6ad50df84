/**
 * The hook for zsh: preexec, precmd and zshexit, through add-zsh-hook, which keeps other hooks.
 */
export const zsh = `# Records this shell as a codex session. Put this into ~/.zshrc:
#   eval "$(codex logs hook zsh)"
# Events go to .codex in the directory where the shell started, or to CODEX_LOG_DB_PATH. CODEX_SESSION_LOGGING=0 turns it off.
if [[ "\${__codex_hook-}" != "$$" && "\${CODEX_SESSION_LOGGING-}" != 0 ]]; then
  typeset -g __codex_hook=$$ __codex_folder=$PWD
  export CODEX_SESSION_ID="\${CODEX_SESSION_ID:-shell-$(date -u +%Y%m%dT%H%M%SZ)-$$}"
  zmodload zsh/datetime
  autoload -Uz add-zsh-hook
  typeset -gi __codex_started __codex_birth=$((EPOCHREALTIME * 1000))
  typeset -g __codex_text= __codex_depth=$ZSH_SUBSHELL

  # Milliseconds as seconds, independent of the decimal point of the locale.
  __codex_seconds() {
    emulate -L zsh
    local -i millis=$(($1 > 0 ? $1 : 0))
    REPLY="$((millis / 1000)).\${(l:3::0:)$((millis % 1000))}"
  }

  # __codex_record <message> <options>: in the background of a subshell, so that this shell does not list it as a job.
  __codex_record() {
    emulate -L zsh
    setopt no_bg_nice
    local message=$1
    shift
    if [[ "\${CODEX_SESSION_LOGGING-}" == 0 ]]; then return 0; fi
    (
      trap '' HUP
      builtin cd -q -- "$__codex_folder" || exit
      if [[ -n $message ]]; then print -rn -- "$message" | command "\${CODEX_BIN:-codex}" logs record "$@" --stdin &
      else command "\${CODEX_BIN:-codex}" logs record "$@" </dev/null & fi
    ) >/dev/null 2>&1
  }

  # Lines that the history leaves out because of a leading space are not recorded.
  __codex_preexec() {
    __codex_started=$((EPOCHREALTIME * 1000))
    if [[ -o histignorespace && "$1" == ' '* ]]; then __codex_text=; else __codex_text=\${1:-$3}; fi
  }

  # __codex_line <status>: records the line that has just run.
  __codex_line() {
    emulate -L zsh
    local REPLY at duration
    if [[ -z $__codex_text ]]; then return 0; fi
    __codex_seconds $__codex_started
    at=$REPLY
    __codex_seconds $((EPOCHREALTIME * 1000 - __codex_started))
    duration=$REPLY
    __codex_record "$__codex_text" --event message --role user --at $at --metadata status=$1 \\
      --metadata duration=$duration --metadata "cwd=$PWD"
    __codex_text=
  }

  __codex_precmd() {
    __codex_line $?
  }

  # Also called when a subshell exits.
  __codex_zshexit() {
    local REPLY at code=$?
    if ((ZSH_SUBSHELL != __codex_depth)); then return 0; fi
    __codex_line $code
    __codex_seconds $((EPOCHREALTIME * 1000))
    at=$REPLY
    __codex_seconds $((EPOCHREALTIME * 1000 - __codex_birth))
    __codex_record '' --event end --at $at --metadata shell=zsh --metadata status=$code --metadata duration=$REPLY
  }

  add-zsh-hook preexec __codex_preexec
  add-zsh-hook precmd __codex_precmd
  add-zsh-hook zshexit __codex_zshexit

  () {
    local REPLY
    __codex_seconds $__codex_birth
    __codex_record '' --event start --at $REPLY --metadata shell=zsh
  }
fi`
