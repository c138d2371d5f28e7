"""Command prefixes in permission rules: which commands they cover, and whether they determine what will run.

The hook imports this module only if a rule with a prefix is compared.
"""

from __future__ import annotations

import re

# A word of a prefix that the shell takes literally.
_LITERAL_WORD = re.compile(r"[A-Za-z0-9._/@%+,:=-]+")
# Characters that join commands, redirect, or expand to something that runs. Expansions of file names run nothing.
_SPECIAL = frozenset(";&|<>$`(){}\\")
_VERSION_SUFFIX = re.compile(r"[-.0-9]+$")


def _split_names(names: str) -> frozenset[str]:
    return frozenset(names.split())


# Programs that run whatever their arguments say, so that a prefix of them would allow everything.
_RUNNERS = _split_names(
    # Shells, and words of their language that run other commands or change the meaning of a later word.
    "sh bash rbash zsh dash ash hush ksh mksh pdksh oksh yash fish csh tcsh rc es elvish nu xonsh osh busybox toybox "
    "pwsh powershell cmd wsl wscript cscript eval exec source . command builtin time coproc ! if then elif else while "
    "until for do select case function alias unalias export declare typeset local readonly set shopt enable hash bind "
    "complete compgen trap mapfile readarray read let fc history noglob nocorrect repeat - "
    # Programs that run the command in their arguments.
    "env sudo doas pkexec su runuser run0 setpriv nohup nice ionice chrt taskset numactl prlimit timeout stdbuf "
    "unbuffer setsid xargs parallel watch entr watchexec nodemon script expect strace ltrace dtruss gdb lldb valgrind "
    "perf unshare nsenter chroot fakeroot proot bwrap firejail sandbox-exec systemd-run start-stop-daemon run-parts "
    "flock at batch crontab launchctl osascript open xdg-open dbus-run-session xvfb-run rlwrap dotenv direnv mise asdf "
    "nix nix-shell guix sg newgrp chpst softlimit tmux screen byobu zellij find fd fdfind make gmake just task cmake "
    "ninja ssh autossh sshpass scp sftp rsync rclone mosh rsh telnet nc ncat netcat socat tar bsdtar gtar zip man "
    "hyperfine "
    # Interpreters, editors and pagers.
    "python pythonw pypy ipython node nodejs deno tsx ts-node bun ruby irb perl php lua luajit tclsh wish r "
    "rscript julia ghci runghc runhaskell scala amm groovy java jshell kotlin kotlinc swift elixir iex erl escript "
    "ocaml racket guile sbcl clisp clojure clj bb emacs emacsclient vi vim nvim view ex ed less more most sed gsed awk "
    "gawk mawk nawk m4 dc gnuplot octave sqlite psql mysql mariadb mongo mongosh redis-cli lftp ftp "
    # Programs that fetch a program and run it.
    "npx pnpx bunx pipx uvx rustup corepack volta nvm"
)

# Programs with many subcommands, and the subcommands after which the remaining arguments cannot run anything else. With
# another subcommand, or an option in its place, they can (`git -c alias.x=!sh x`, `npm exec`, `docker run`). Build and
# test commands run the project's own code.
_SUBCOMMANDS = {
    "git": "status add commit restore switch branch tag stash show log diff blame rev-parse ls-files shortlog merge",
    "hg": "status add commit log diff",
    "npm": "run run-script test t start ci install i ls list outdated audit view",
    "pnpm": "run test start install i ls list outdated audit view",
    "yarn": "run test start install list outdated audit info",
    "cargo": "build check test bench clippy fmt doc run tree",
    "go": "build test vet fmt list version",
    "docker": "ps images logs inspect version info stats top port",
    "podman": "ps images logs inspect version info stats top port",
    "nerdctl": "ps images logs inspect version info stats top port",
    "kubectl": "get describe logs version top explain",
    "oc": "get describe logs version",
    "helm": "list status history version",
    "gh": "pr issue run search status release",
    "pip": "list show freeze check",
    "uv": "lock sync tree version",
    "poetry": "install lock show check",
    "pipenv": "install lock graph check",
    "conda": "list info search",
    "mamba": "list info search",
    "brew": "list info search",
    "gem": "list info search",
    "bundle": "install list info show check outdated",
    "composer": "install show validate",
    "apt": "list show search",
    "apt-get": "",
    "terraform": "fmt validate show version",
    "vagrant": "status",
    "hatch": "version",
    "rye": "lock sync show",
    "pixi": "list info",
    "systemctl": "status show list-units is-active",
    "sdk": "",
    "tox": "",
    "nox": "",
    "hldctl": "ls show tail events approvals stats doctor",
}


def is_narrow(prefix: str) -> bool:
    """Return whether the prefix determines what will run, whatever arguments follow it."""
    words = prefix.split(" ")
    if not all(_LITERAL_WORD.fullmatch(word) for word in words):
        return False
    first = words[0].casefold()
    # An assignment (`LD_PRELOAD=x`) comes before the command; an option is not a command.
    if "=" in first or first.startswith(("-", "+", "%")):
        return False
    name = first.rpartition("/")[2]
    unversioned = _VERSION_SUFFIX.sub("", name)
    if not name or {name, unversioned} & _RUNNERS:
        return False
    subcommands = _SUBCOMMANDS.get(name, _SUBCOMMANDS.get(unversioned))
    return subcommands is None or (len(words) > 1 and words[1] in subcommands.split())


def covers(prefix: str, command: str) -> bool:
    """Return whether the command is one plain command that starts with the words of the prefix."""
    # isprintable() also excludes tabs, newlines, and spaces that only some shells recognise.
    if not command.isprintable() or _SPECIAL & set(command) or not _has_closed_quotes(command):
        return False
    return command == prefix or command.startswith(prefix + " ")


def _has_closed_quotes(command: str) -> bool:
    quote = ""
    for character in command:
        if character == quote:
            quote = ""
        elif not quote and character in "'\"":
            quote = character
    return not quote


def is_literal(prefix: str, command: str) -> bool:
    """Return whether the command itself contains a `*` where the rule `prefix *` has its wildcard."""
    return command.removeprefix(prefix).lstrip().startswith("*")
