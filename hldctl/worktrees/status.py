"""The files of a checkout that differ from its commit, or are not in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hldctl.worktrees.git import Git
from hldctl.worktrees.index import copied_index, find_hidden

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


def full_status(git: Git, *, ignored: bool = False) -> Status:
    """Return the status of a checkout, also of files that its index hides from git."""
    if hidden := find_hidden(git):
        with copied_index(git, hidden) as variables:
            return parse_status(git.paths(*status_command(ignored=ignored), variables=variables))
    return read_status(git, ignored=ignored)
