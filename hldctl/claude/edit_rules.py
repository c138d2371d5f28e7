"""The edits that a rule accepts: edits of the session's own files that no program runs automatically.

The hook imports this module only for a tool that edits.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from typing import Any, NamedTuple

from hldctl.claude.tools import EDITED_PATHS


def _split_names(names: str) -> frozenset[str]:
    return frozenset(names.split())


GUARDED_DIRECTORIES = _split_names(
    ".git .claude .vscode .idea .husky .cargo .devcontainer .yarn .mvn .githooks .git-hooks .ssh .gnupg .config "
    ".direnv .zed .cursor "
    ".fleet .gradle .bazelisk .m2 launchagents launchdaemons"
)
"""An edit in one of these, at any depth, is not accepted by rule.

Claude Code 2.1.331 asks for permission in the first nine under acceptEdits.
"""
GUARDED_FILES = _split_names(
    # The list of Claude Code 2.1.331.
    ".gitconfig .gitmodules .bashrc .bash_profile .zshrc .zprofile .profile .zshenv .zlogin .zlogout .bash_login "
    ".bash_aliases .bash_logout .envrc .ripgreprc .mcp.json .claude.json .npmrc .yarnrc .yarnrc.yml .pnp.cjs "
    ".pnp.loader.mjs .pnp.js .pnp.data.json .pnpmfile.cjs bunfig.toml .bunfig.toml .bazelrc .bazelversion .bazeliskrc "
    ".pre-commit-config.yaml lefthook.yml .lefthook.yml lefthook.yaml .lefthook.yaml gradle-wrapper.properties "
    "maven-wrapper.properties .devcontainer.json pyrightconfig.json "
    # More files that a shell, a desktop, an editor or a tool runs, or takes commands from, when it starts.
    ".kshrc .mkshrc .shrc .cshrc .tcshrc .login .logout .xprofile .xinitrc .xsession .xsessionrc .xserverrc "
    ".pam_environment .inputrc .vimrc .gvimrc .exrc .nvimrc .nvim.lua .emacs .dir-locals.el .tmux.conf .screenrc "
    ".gdbinit .lldbinit .irbrc .pryrc .rprofile .renviron .pythonrc .pythonstartup .perldb .psqlrc .sqliterc "
    ".mailcap .forward .netrc .curlrc .wgetrc .hgrc .mise.toml mise.toml .mise.local.toml mise.local.toml "
    ".tool-versions .pypirc .hldctl.toml"
)
_GIT_PARTS = ("objects", "refs", "commondir")


class Area(NamedTuple):
    """The directories in which a session may edit by rule; all paths are absolute."""

    directories: tuple[str, ...]
    """The session's working directory and additional directories."""
    excluded: tuple[str, ...] = ()
    """Excluded directories, such as those of hldctl's own state and configuration."""
    homes: tuple[str, ...] = ()
    """Home directories, whose hidden files are the configuration of some program."""
    worktree: str | None = None
    """The session's own worktree, which may be in an excluded directory."""


def edited_file(tool_name: str, tool_input: dict[str, Any]) -> str | None:
    """Return the real path of the file that the call would edit, existing or not; None if it is not certain."""
    path = tool_input.get(EDITED_PATHS.get(tool_name, ""))
    if not isinstance(path, str) or not path.startswith("/") or not path.isprintable() or path != path.strip():
        return None
    # Claude Code normalizes the name before it writes; another file may have the name in the request.
    if unicodedata.normalize("NFC", path) != path:
        return None
    real = os.path.realpath(path)
    # `link/..` is another directory for a program that normalizes a path before it follows the links.
    return real if os.path.realpath(os.path.normpath(path)) == real else None


def is_accepted(tool_name: str, tool_input: dict[str, Any], area: Area) -> bool:
    """Return whether the call edits a plain file of the area; any other edit needs a decision by the user."""
    path = edited_file(tool_name, tool_input)
    if path is None or not _is_plain(path):
        return False
    roots = [root for root in map(os.path.realpath, area.directories) if root != "/" and _is_below(path, root)]
    return bool(roots) and not (
        _is_excluded(path, area)
        or _is_guarded(path)
        or _is_in_git_directory(path)
        or all(_is_hidden_at_home(path, root, area.homes) for root in roots)
    )


def _is_excluded(path: str, area: Area) -> bool:
    if area.worktree is not None and _is_below(path, os.path.realpath(area.worktree)):
        return False
    return any(_is_below(_fold_case(path), _fold_case(os.path.realpath(excluded))) for excluded in area.excluded)


def _is_plain(path: str) -> bool:
    """Return whether the path is a regular file without hard links, or missing: another link may be guarded."""
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
    *directories, name = _fold_case(path).split("/")[1:]
    if name in GUARDED_FILES or name in GUARDED_DIRECTORIES or name == "head":
        # A file HEAD can turn a directory into a git repository, whose configuration names programs to run.
        return True
    for depth, directory in enumerate(directories):
        if directory in GUARDED_DIRECTORIES and not _holds_worktree(directories[depth:]):
            return True
    return False


def _holds_worktree(directories: list[str]) -> bool:
    """Return whether this is .claude/worktrees/NAME, where Claude Code keeps whole checkouts."""
    return directories[:2] == [".claude", "worktrees"] and len(directories) > 2


def _is_in_git_directory(path: str) -> bool:
    """Return whether git could take one of the parent directories for a repository, whatever its name."""
    directory = path.rpartition("/")[0]
    while directory:
        if os.path.lexists(f"{directory}/HEAD") and any(os.path.lexists(f"{directory}/{part}") for part in _GIT_PARTS):
            return True
        directory = directory.rpartition("/")[0]
    return False


def _is_hidden_at_home(path: str, root: str, homes: tuple[str, ...]) -> bool:
    """Return whether the path is hidden in a home directory, and the session does not work in that hidden directory."""
    for home in map(os.path.realpath, homes):
        if _is_below(path, home) and not (root != home and _is_below(root, home)):
            first = path.removeprefix(home.rstrip("/") + "/").split("/")[0]
            if first.startswith(".") or first.casefold() in ("bin", "library"):
                return True
    return False


def _fold_case(path: str) -> str:
    """Return the path as compared by a file system that ignores case, composition and invisible characters."""
    composed = unicodedata.normalize("NFKC", path).casefold()
    return "".join(character for character in composed if unicodedata.category(character) != "Cf")
