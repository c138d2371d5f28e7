# Completion of hldctl for bash 3.2 or newer.
_hldctl() {
    local IFS=$'\n' answer line
    COMPREPLY=()
    answer=$(_HLDCTL_COMPLETE=bash "$1" "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null) || return 0
    case $answer in
        :files) compopt -o default 2>/dev/null || COMPREPLY=($(compgen -f -- "$2")) ;;
        :directories) compopt -o dirnames 2>/dev/null || COMPREPLY=($(compgen -d -- "$2")) ;;
        ?*) while read -r line; do COMPREPLY+=("$line"); done <<<"$answer" ;;
    esac
}
# Unsorted if bash supports it, to keep the newest first.
complete -o nosort -F _hldctl hldctl 2>/dev/null || complete -F _hldctl hldctl
