/**
 * The hook for fish: the events fish_preexec, fish_postexec and fish_exit.
 */
export const fish = `# Records this shell as a codex session. Put this into ~/.config/fish/config.fish:
#   codex logs hook fish | source
# Events go to .codex in the directory where the shell started, or to CODEX_LOG_DB_PATH. CODEX_SESSION_LOGGING=0 turns it off.
if test "$__codex_hook" != "$fish_pid"; and test "$CODEX_SESSION_LOGGING" != 0
    set -g __codex_hook $fish_pid
    set -g __codex_folder $PWD
    if test -n "$CODEX_SESSION_ID"
        set -gx CODEX_SESSION_ID $CODEX_SESSION_ID
    else
        set -gx CODEX_SESSION_ID shell-(date -u +%Y%m%dT%H%M%SZ)-$fish_pid
    end

    # Not every date command has fractions of a second.
    set -g __codex_clock +%s
    string match -qr '^\\d+\\.\\d+$' -- (date +%s.%N); and set -g __codex_clock +%s.%N
    set -g __codex_birth (date $__codex_clock)

    # __codex_record <message> <options>: in the background of another shell, so that this one does not list it as a job.
    function __codex_record
        test "$CODEX_SESSION_LOGGING" = 0; and return 0
        set -l codex codex
        test -n "$CODEX_BIN"; and set codex $CODEX_BIN
        if test -n "$argv[1]"
            command sh -c 'trap "" HUP; (cd -- "$0" && text=$1 && shift && printf %s "$text" | "$@") >/dev/null 2>&1 &' \\
                $__codex_folder $argv[1] $codex logs record --stdin $argv[2..-1]
        else
            command sh -c 'trap "" HUP; (cd -- "$0" && "$@" </dev/null) >/dev/null 2>&1 &' \\
                $__codex_folder $codex logs record $argv[2..-1]
        end
        return 0
    end

    function __codex_preexec --on-event fish_preexec
        set -g __codex_started (date $__codex_clock)
    end

    # Lines that the history leaves out are not recorded.
    function __codex_postexec --on-event fish_postexec
        set -l code $status
        set -l duration (math --scale=3 "$CMD_DURATION / 1000")
        test -n "$argv[1]"; and test -n "$__codex_started"; or return 0
        string match -q ' *' -- $argv[1]; or test -n "$fish_private_mode"; and return 0
        __codex_record $argv[1] --event message --role user --at $__codex_started --metadata status=$code \\
            --metadata duration=$duration --metadata cwd=$PWD
    end

    function __codex_exit --on-event fish_exit
        set -l code $status
        set -l now (date $__codex_clock)
        set -l duration (math --scale=3 "$now - $__codex_birth")
        __codex_record '' --event end --at $now --metadata shell=fish --metadata status=$code \\
            --metadata duration=$duration
    end

    __codex_record '' --event start --at $__codex_birth --metadata shell=fish
end`
