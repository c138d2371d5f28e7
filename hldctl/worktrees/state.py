"""The state of a worktree in numbers, compared with its base."""

from __future__ import annotations

from typing import Any, NamedTuple

from hldctl.worktrees.contents import is_present
from hldctl.worktrees.index import copied_index, index_with_untracked
from hldctl.worktrees.record import Worktree
from hldctl.worktrees.status import Status, full_status

_DIFF = ("diff", "--numstat", "-z", "--no-renames", "--no-ext-diff")


class FileChange(NamedTuple):
    """A file that differs from the base; the numbers of lines are None for a binary file."""

    path: str
    insertions: int | None
    deletions: int | None


def read_state(worktree: Worktree) -> dict[str, Any] | None:
    """Return the numbers that the row of a session holds; None if the worktree is gone."""
    if not is_present(worktree):
        return None
    git = worktree.git
    status = full_status(git)
    changes = changed_files(worktree, status)
    return {
        "ahead": int(git.read("rev-list", "--count", f"{worktree.base_commit}..HEAD")),
        "dirty": bool(status.changed or status.untracked),
        "files": len(changes),
        "insertions": sum(change.insertions or 0 for change in changes),
        "deletions": sum(change.deletions or 0 for change in changes),
    }


def changed_files(worktree: Worktree, status: Status) -> list[FileChange]:
    """Return the files on the disk that differ from the base, untracked ones included."""
    git = worktree.git
    if not status.changed and not status.untracked:
        # Git need not look at the disk again.
        return changed_files_of(worktree, git.read("rev-parse", "HEAD"))
    index = index_with_untracked if status.untracked else copied_index
    with index(git) as variables:
        return parse_numstat(git.paths(*_DIFF, worktree.base_commit, variables=variables))


def changed_files_of(worktree: Worktree, commit: str) -> list[FileChange]:
    """Return the files of a commit that differ from the base, also when the worktree is gone."""
    return parse_numstat(worktree.repository_git.paths(*_DIFF, worktree.base_commit, commit))


def parse_numstat(entries: list[str]) -> list[FileChange]:
    changes = []
    for entry in entries:
        insertions, deletions, path = entry.split("\t", 2)
        changes.append(FileChange(path, _number(insertions), _number(deletions)))
    return changes


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
