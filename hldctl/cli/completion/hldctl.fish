# Completion of hldctl for fish.
function __hldctl_complete
    set -l words (commandline -opc)
    set -l answer (env _HLDCTL_COMPLETE=fish $words[1] $words[2..-1] (commandline -ct) 2>/dev/null)
    switch "$answer[1]"
        case :files
            __fish_complete_path (commandline -ct)
        case :directories
            __fish_complete_directories (commandline -ct)
        case '*'
            printf '%s\n' $answer
    end
end
complete --command hldctl --no-files --keep-order --arguments '(__hldctl_complete)'
