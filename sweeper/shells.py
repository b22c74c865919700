"""What a shell evaluates, so that TAB asks `sweeper.completion`, and so that it no longer does."""

from __future__ import annotations

# -c and no file, so that no folder of the user's is looked at for modules, which '' would be.
START = "import sys; sys.path = [p for p in sys.path if p]; from sweeper.completion import main; main()"
PYTHONS = ("python", "python3", *(f"python3.{minor}" for minor in range(10, 16)))

INSTALL = {
    "bash": r"""
_sweeper_ask() {
    local python="${1/#\~/${HOME-}}"
    shift
    case "${python##*/}" in
        python*) "$python" -c '%(start)s' "$@" 2>/dev/null && return ;;
    esac
    %(python)s -c '%(start)s' "$@" 2>/dev/null
}
_sweeper_complete() {
    local word before="_sweeper_before_${1##*/}"
    before="${before//[^a-zA-Z0-9_]/_}"
    COMPREPLY=()
    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <(_sweeper_ask "$1" bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS")
    if [ "${#COMPREPLY[@]}" -eq 0 ]; then
        compopt +o nospace 2>/dev/null
        [[ "${!before-}" =~ -F\ ([^ ]+) ]] && "${BASH_REMATCH[1]}" "$@"
    fi
}
_sweeper_install() {
    local word before
    for word in "$@"; do
        declare -F _completion_loader >/dev/null && _completion_loader "$word" >/dev/null 2>&1
        before="$(complete -p -- "$word" 2>/dev/null)"
        case "$before" in
            *_sweeper_complete*) ;;
            *) printf -v "_sweeper_before_${word//[^a-zA-Z0-9_]/_}" %%s "$before" ;;
        esac
        complete -o nospace -o bashdefault -o default -F _sweeper_complete -- "$word"
    done
}
_sweeper_install %(words)s
""",
    "zsh": r"""
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_sweeper_ask() {
    local python="${1/#\~/${HOME-}}"
    shift
    case "${python:t}" in
        python*) "$python" -c '%(start)s' "$@" 2>/dev/null && return ;;
    esac
    %(python)s -c '%(start)s' "$@" 2>/dev/null
}
_sweeper_complete() {
    local -a found whole open
    found=(${(f)"$(
        _sweeper_ask "${(Q)words[1]}" zsh "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}"
    )"})
    whole=(${${(M)found:#* }%% }) open=(${found:#* })
    if (( $#whole + $#open )); then
        compadd -S ' ' -a whole
        compadd -S '' -a open
    else
        eval "${_sweeper_before[${words[1]:t}]:-_default}"
    fi
}
typeset -gA _sweeper_before
() {
    local word
    for word; do
        [[ "$_comps[$word]" == _sweeper_complete ]] || _sweeper_before[$word]="$_comps[$word]"
        compdef _sweeper_complete "$word"
    done
} %(words)s
""",
    "fish": r"""
function __sweeper_ask
    set -l python (string replace -r '^~' "$HOME" -- $argv[1])
    if string match -qr '(^|/)python[^/]*$' -- $python
        $python -c '%(start)s' $argv[2..-1] 2>/dev/null; and return
    end
    %(python)s -c '%(start)s' $argv[2..-1] 2>/dev/null
end
function __sweeper_offers
    set -l words (commandline -opc)
    set -g __sweeper_found (__sweeper_ask $words[1] fish $words (commandline -ct) | string trim)
    test -n "$__sweeper_found"
end
for word in %(words)s
    contains -- $word $__sweeper_words; and continue
    set -g -a __sweeper_words $word
    complete -c $word -n __sweeper_offers -f -a '$__sweeper_found'
end
""",
}

UNINSTALL = {
    "bash": r"""
for _sweeper_word in %(words)s; do
    complete -r -- "$_sweeper_word" 2>/dev/null
    _sweeper_name="_sweeper_before_${_sweeper_word//[^a-zA-Z0-9_]/_}"
    eval "${!_sweeper_name-}"
    unset "$_sweeper_name"
done
unset _sweeper_word _sweeper_name
unset -f _sweeper_ask _sweeper_complete _sweeper_install
""",
    "zsh": r"""
() {
    local word
    for word; do
        compdef -d "$word"
        [[ -z "$_sweeper_before[$word]" ]] || compdef "$_sweeper_before[$word]" "$word"
    done
} %(words)s
unset _sweeper_before
unfunction _sweeper_ask _sweeper_complete
""",
    "fish": r"""
function __sweeper_offers
    return 1
end
""",
}
