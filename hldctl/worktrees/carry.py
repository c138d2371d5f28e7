"""Files that a new worktree gets from the checkout: uncommitted work, and those that git ignores."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from hldctl.errors import BadUsage, WrongState
from hldctl.worktrees.record import Worktree
from hldctl.worktrees.repository import Checkout
from hldctl.worktrees.status import read_status

_INCLUDE_FILE = ".worktreeinclude"

Result = TypeVar("Result")
Count = Callable[[], Result]


def take_changes_along(checkout: Checkout, worktree: Worktree) -> None:
    """Copy the uncommitted and untracked work of the checkout, which is only read."""
    assert checkout.root is not None
    root = Path(checkout.root)
    status = read_status(checkout.git)
    if nested := [path for path in status.untracked if path.endswith("/")]:
        raise WrongState(f"--with-changes cannot take {nested[0]} along: it is another repository.")
    paths = [*status.changed, *status.untracked]
    there = [path for path in paths if os.path.lexists(root / path)]
    for path in set(paths) - set(there):
        _remove(Path(worktree.path), Path(path))
    for path in there:
        _copy(root, Path(worktree.path), path)


def copy_files(checkout: Checkout, worktree: Worktree, patterns: Iterable[str]) -> dict[str, str]:
    """Copy the files that match the patterns and git ignores; return each with a hash of its content.

    The patterns are those of the configuration and of the file `.worktreeinclude`, which Claude Code knows, too.
    """
    if checkout.root is None:
        return {}
    root, target = Path(checkout.root), Path(worktree.path)
    configured = {path for pattern in patterns for path in _matching(root, pattern)}
    found = sorted(configured | _included(checkout))
    paths = [path for path in found if not os.path.lexists(target / path)]
    if not paths:
        return {}
    done = worktree.git.run("check-ignore", "-z", "--stdin", input=b"\0".join(map(os.fsencode, paths)))
    ignored = set(os.fsdecode(done.stdout).split("\0"))
    if seen := [path for path in paths if path in configured and path not in ignored]:
        raise WrongState(
            f"[worktree] copy: git does not ignore {seen[0]}, so the session could commit it; add it to .gitignore."
        )
    copied = [path for path in paths if path in ignored]
    for path in copied:
        _copy(root, target, path)
    return {path: content_hash(target / path) for path in copied}


def _included(checkout: Checkout) -> set[str]:
    """Return the files outside of git that match the patterns in `.worktreeinclude`, which git itself reads."""
    assert checkout.root is not None
    if not os.path.isfile(os.path.join(checkout.root, _INCLUDE_FILE)):
        return set()
    return set(checkout.git.paths("ls-files", "-z", "--others", "--ignored", f"--exclude-from={_INCLUDE_FILE}"))


def _matching(root: Path, pattern: str) -> Iterator[str]:
    """Yield the files that match a pattern, relative to the root, with those in matching directories."""
    if pattern.startswith("/") or ".." in pattern.split("/"):
        raise BadUsage(f"[worktree] copy: {pattern!r} is not a path in the checkout.")
    for match in glob.glob(pattern, root_dir=root, recursive=True, include_hidden=True):
        path = root / match
        if path.is_dir() and not path.is_symlink():
            for directory, _, names in os.walk(path):
                yield from (os.path.relpath(os.path.join(directory, name), root) for name in names)
        else:
            yield os.path.normpath(match)


def content_hash(path: Path) -> str:
    """Return a hash of a file's content, or of the target of a symbolic link; empty if the file cannot be read."""
    try:
        if path.is_symlink():
            return hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _copy(source: Path, target: Path, path: str) -> None:
    origin, copy = source / path, target / path
    if not origin.is_symlink() and not origin.is_file():
        # A socket or a pipe has no content.
        return
    copy.parent.mkdir(parents=True, exist_ok=True)
    if not copy.parent.resolve().is_relative_to(target.resolve()):
        raise WrongState(f"{path} cannot be copied: a symbolic link leads out of the worktree.")
    copy.unlink(missing_ok=True)
    shutil.copy2(origin, copy, follow_symlinks=False)


def _remove(target: Path, path: Path) -> None:
    """Delete a file, and the directories that it leaves empty."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        (target / path).unlink()
    for directory in list(path.parents)[:-1]:
        try:
            (target / directory).rmdir()
        except OSError:
            return
