"""What a session changed in its worktree, as git shows it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from hldctl.errors import WrongState
from hldctl.worktrees import state
from hldctl.worktrees.contents import has_repository, is_present
from hldctl.worktrees.git import text, without_repository
from hldctl.worktrees.index import Variables, index_with_untracked
from hldctl.worktrees.preserve import kept_ref
from hldctl.worktrees.record import Worktree
from hldctl.worktrees.status import full_status

_COMMIT_FORMAT = "%H%x00%an%x00%aI%x00%s"


class Comparison(NamedTuple):
    """Two sides that git can compare."""

    worktree: Worktree
    end: str | None
    """The commit to compare with; None for the files on the disk."""

    @property
    def git(self) -> Any:
        return self.worktree.git if self.end is None else self.worktree.repository_git

    def arguments(self, options: Sequence[str]) -> list[str]:
        sides = [self.worktree.base_commit, *([self.end] if self.end else [])]
        command: list[str] = self.git.command("diff", *options, *sides, "--")
        return command


def find_comparison(worktree: Worktree, session_ids: Sequence[str]) -> Comparison:
    """Return what to compare; raise WrongState if the worktree is gone and nothing of it is kept."""
    if is_present(worktree):
        return Comparison(worktree, None)
    if has_repository(worktree):
        names = [*(kept_ref(session_id) for session_id in session_ids), worktree.branch_ref]
        for name in names:
            if (commit := worktree.repository_git.commit(name)) is not None:
                return Comparison(worktree, commit)
    raise WrongState(f"The worktree {worktree.path} is gone, and nothing of it is kept.")


@contextmanager
def variables(comparison: Comparison) -> Iterator[Variables]:
    """Yield the environment for git: with it, untracked files count as new, in the locale of the user."""
    if comparison.end is not None:
        yield without_repository(os.environ)
        return
    with index_with_untracked(comparison.worktree.git) as own:
        yield without_repository(os.environ) | own


def run(comparison: Comparison, options: Sequence[str], start: Callable[[list[str], Variables], int]) -> int:
    """Run git's own diff by `start`, with its colours and pager; return its exit code."""
    with variables(comparison) as own:
        return start(comparison.arguments(options), own)


def as_object(comparison: Comparison) -> dict[str, Any]:
    """Return the commits and files that differ from the base, for JSON."""
    worktree, end = comparison.worktree, comparison.end
    if end is None:
        status = full_status(worktree.git)
        is_dirty, files = bool(status.changed or status.untracked), state.changed_files(worktree, status)
    else:
        is_dirty, files = False, state.changed_files_of(worktree, end)
    return {
        "branch": worktree.branch,
        "base": worktree.base,
        "base_commit": worktree.base_commit,
        "commits": _commits(comparison),
        "dirty": is_dirty,
        "files": [change._asdict() for change in files],
    }


def _commits(comparison: Comparison) -> list[dict[str, str]]:
    worktree = comparison.worktree
    done = comparison.git.run(
        "log", "--reverse", "-z", f"--format={_COMMIT_FORMAT}", f"{worktree.base_commit}..{comparison.end or 'HEAD'}"
    )
    fields = text(done.stdout).split("\0")
    names = ("commit", "author", "date", "subject")
    return [dict(zip(names, fields[start : start + 4], strict=True)) for start in range(0, len(fields) - 3, 4)]
