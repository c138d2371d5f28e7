# Completion of hldctl for fish.
function __hldctl_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l answer (env _HLDCTL_COMPLETE=fish $words[1] $words[2..-1] $typed 2>/dev/null)
    # In `--option=value`, only the value is a path, but fish replaces the whole word with the candidate.
    set -l option (string match -r -- '^--[^=]+=' $typed)
    set -l value (string replace -r -- '^--[^=]+=' '' $typed)
    switch "$answer[1]"
        case :files
            for path in (__fish_complete_path $value)
                printf '%s%s\n' "$option" $path
            end
        case :directories
            for path in (__fish_complete_directories $value)
                printf '%s%s\n' "$option" $path
            end
        case '*'
            printf '%s\n' $answer
    end
end
complete --command hldctl --no-files --keep-order --arguments '(__hldctl_complete)'
