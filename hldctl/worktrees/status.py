"""The files of a checkout that differ from its commit, or are not in it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from hldctl.worktrees.git import Git
from hldctl.worktrees.index import copied_index

_OPTIONS = ("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all")


class Status(NamedTuple):
    """Paths relative to the root; a directory, such as another repository, ends with a slash."""

    changed: list[str]
    """Tracked files that differ from the commit, in the index or on the disk."""
    untracked: list[str]
    ignored: list[str]
    """Empty if they were not asked for."""


def status_command(*, ignored: bool = False) -> tuple[str, ...]:
    """Return the arguments for git of which `parse_status` reads the output."""
    return (*_OPTIONS, "--ignored=matching") if ignored else _OPTIONS


def parse_status(entries: Iterable[str]) -> Status:
    """Parse the entries that `git status -z` printed."""
    found = Status([], [], [])
    for entry in entries:
        state, path = entry[:2], entry[3:]
        {"??": found.untracked, "!!": found.ignored}.get(state, found.changed).append(path)
    return found


def read_status(git: Git, *, ignored: bool = False) -> Status:
    """Return the status of a checkout."""
    return parse_status(git.paths(*status_command(ignored=ignored)))


def hidden_changes(git: Git) -> list[str]:
    """Return the changed files that `git status` leaves out since the index marks them so.

    The marks are `--assume-unchanged` and `--skip-worktree` of `git update-index`.
    """
    entries = (entry.split(" ", 1) for entry in git.paths("ls-files", "-v", "-z"))
    marked = [path for tag, path in entries if tag == "S" or tag.islower()]
    root = git.read("rev-parse", "--show-toplevel")
    # A sparse checkout marks what is not there.
    present = [path for path in marked if os.path.lexists(os.path.join(root, path))]
    if not present:
        return []
    with copied_index(git) as variables:
        paths = b"\0".join(map(os.fsencode, present))
        for option in ("--no-assume-unchanged", "--no-skip-worktree"):
            git.read("update-index", option, "-z", "--stdin", input=paths, variables=variables)
        return git.paths("diff-files", "--name-only", "-z", variables=variables)
