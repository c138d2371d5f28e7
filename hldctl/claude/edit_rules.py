"""Which edits a rule accepts: those of the session's own files that nothing runs on its own.

Imported by the hook only for a call that edits.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from typing import Any, NamedTuple

from hldctl.claude.tools import EDITED_PATHS


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


GUARDED_DIRECTORIES = _names(
    ".git .claude .vscode .idea .husky .cargo .devcontainer .yarn .mvn .githooks .git-hooks .ssh .gnupg .config "
    ".direnv .zed .cursor "
    ".fleet .gradle .bazelisk .m2 launchagents launchdaemons"
)
"""What is in one of these, at any depth, is asked. Claude Code 2.1.331 asks for the first nine under acceptEdits."""
GUARDED_FILES = _names(
    # As Claude Code 2.1.331 has them.
    ".gitconfig .gitmodules .bashrc .bash_profile .zshrc .zprofile .profile .zshenv .zlogin .zlogout .bash_login "
    ".bash_aliases .bash_logout .envrc .ripgreprc .mcp.json .claude.json .npmrc .yarnrc .yarnrc.yml .pnp.cjs "
    ".pnp.loader.mjs .pnp.js .pnp.data.json .pnpmfile.cjs bunfig.toml .bunfig.toml .bazelrc .bazelversion .bazeliskrc "
    ".pre-commit-config.yaml lefthook.yml .lefthook.yml lefthook.yaml .lefthook.yaml gradle-wrapper.properties "
    "maven-wrapper.properties .devcontainer.json pyrightconfig.json "
    # More that a shell, a desktop, an editor or a tool runs or takes commands from as it starts.
    ".kshrc .mkshrc .shrc .cshrc .tcshrc .login .logout .xprofile .xinitrc .xsession .xsessionrc .xserverrc "
    ".pam_environment .inputrc .vimrc .gvimrc .exrc .nvimrc .nvim.lua .emacs .dir-locals.el .tmux.conf .screenrc "
    ".gdbinit .lldbinit .irbrc .pryrc .rprofile .renviron .pythonrc .pythonstartup .perldb .psqlrc .sqliterc "
    ".mailcap .forward .netrc .curlrc .wgetrc .hgrc .mise.toml mise.toml .mise.local.toml mise.local.toml "
    ".tool-versions .pypirc .hldctl.toml"
)
_GIT_PARTS = ("objects", "refs", "commondir")


class Area(NamedTuple):
    """Where a session may edit by rule; all paths are absolute."""

    directories: tuple[str, ...]
    """Its working directory and its additional ones."""
    kept: tuple[str, ...] = ()
    """What stays out, such as hldctl's own state and configuration."""
    homes: tuple[str, ...] = ()
    """Home directories: what is hidden in one is configuration of some program."""


def file(tool_name: str, tool_input: dict[str, Any]) -> str | None:
    """Return the real path of what the call would edit, whether it exists or not; None if that is not certain."""
    path = tool_input.get(EDITED_PATHS.get(tool_name, ""))
    if not isinstance(path, str) or not path.startswith("/") or not path.isprintable() or path != path.strip():
        return None
    # Claude Code composes characters before it writes; another file may have the name as it was asked for.
    if unicodedata.normalize("NFC", path) != path:
        return None
    real = os.path.realpath(path)
    # `link/..` is another directory for a program that shortens a path before it follows its links.
    return real if os.path.realpath(os.path.normpath(path)) == real else None


def is_accepted(tool_name: str, tool_input: dict[str, Any], area: Area) -> bool:
    """Return whether the call edits a plain file of the area; all else is for somebody to decide."""
    path = file(tool_name, tool_input)
    if path is None or not _is_plain(path):
        return False
    roots = [root for root in map(os.path.realpath, area.directories) if root != "/" and _is_below(path, root)]
    return bool(roots) and not (
        any(_is_below(_folded(path), _folded(os.path.realpath(kept))) for kept in area.kept)
        or _is_guarded(path)
        or _is_in_git_directory(path)
        or all(_is_hidden_at_home(path, root, area.homes) for root in roots)
    )


def _is_plain(path: str) -> bool:
    """Return whether it is a file with one name, or none yet: under another name it may be guarded."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def _is_below(path: str, directory: str) -> bool:
    return path.startswith(directory.rstrip("/") + "/")


def _is_guarded(path: str) -> bool:
    *directories, name = _folded(path).split("/")[1:]
    if name in GUARDED_FILES or name in GUARDED_DIRECTORIES or name == "head":
        # Without a HEAD no directory is one of git's, whose configuration names programs to run.
        return True
    for depth, directory in enumerate(directories):
        if directory in GUARDED_DIRECTORIES and not _holds_worktree(directories[depth:]):
            return True
    return False


def _holds_worktree(directories: list[str]) -> bool:
    """Claude Code keeps whole checkouts in .claude/worktrees/NAME."""
    return directories[:2] == [".claude", "worktrees"] and len(directories) > 2


def _is_in_git_directory(path: str) -> bool:
    """Return whether git could take a directory above it for a repository of its own, whatever its name."""
    directory = path.rpartition("/")[0]
    while directory:
        if os.path.lexists(f"{directory}/HEAD") and any(os.path.lexists(f"{directory}/{part}") for part in _GIT_PARTS):
            return True
        directory = directory.rpartition("/")[0]
    return False


def _is_hidden_at_home(path: str, root: str, homes: tuple[str, ...]) -> bool:
    """Return whether it is below something hidden in a home directory, and the session does not work in there."""
    for home in map(os.path.realpath, homes):
        if _is_below(path, home) and not (root != home and _is_below(root, home)):
            first = path.removeprefix(home.rstrip("/") + "/").split("/")[0]
            if first.startswith(".") or first.casefold() in ("bin", "library"):
                return True
    return False


def _folded(path: str) -> str:
    """Return the path as a file system that ignores case, composition and invisible characters compares it."""
    composed = unicodedata.normalize("NFKC", path).casefold()
    return "".join(character for character in composed if unicodedata.category(character) != "Cf")
