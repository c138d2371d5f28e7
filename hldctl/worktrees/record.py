"""What a session's row says about its worktree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hldctl.worktrees.git import Git

BRANCH_PREFIX = "hldctl/"


class Worktree(NamedTuple):
    """A worktree that hldctl made for a session, and that its continuations share."""

    path: str
    """Its root; the session may work in a directory below it."""
    branch: str
    base: str
    """The branch or ref that it started from, or a commit."""
    base_commit: str
    repository: str
    """The git directory that all worktrees of the repository share."""
    copied: Mapping[str, str] = {}
    """The files of `[worktree] copy`, each with a hash of its content."""
    prepared: tuple[str, ...] = ()
    """What git ignores and was there before the session began: files, and directories with a slash at the end."""
    prepared_at_ns: int = 0
    """When that was, by the clock of the worktree's file system, in nanoseconds since 1970."""
    landed: Mapping[str, str] | None = None
    """The last landing: the `branch`, the `commit` there, and the `source`, a commit of all that has landed."""

    @classmethod
    def from_column(cls, column: Mapping[str, Any]) -> Worktree:
        """Return the worktree that is recorded in the row of a session."""
        values = {name: column[name] for name in cls._fields if name in column}
        return cls(**{**values, "prepared": tuple(values.get("prepared", ()))})

    def as_column(self) -> dict[str, Any]:
        return self._asdict()

    @property
    def git(self) -> Git:
        """Git in the worktree."""
        return Git(self.path)

    @property
    def repository_git(self) -> Git:
        """Git in the repository, also when the worktree is gone."""
        return Git(self.repository, is_git_dir=True)

    @property
    def branch_ref(self) -> str:
        return f"refs/heads/{self.branch}"
