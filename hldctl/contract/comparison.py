"""The JSON object of `diff`."""

from __future__ import annotations

from typing import TypedDict


class CommitObject(TypedDict):
    """A commit on the branch of a worktree."""

    commit: str
    """The full hash."""
    author: str
    """The author's name."""
    date: str
    """The author's date, as ISO 8601 writes it."""
    subject: str
    """The first line of the message."""


class FileChangeObject(TypedDict):
    """A file that differs from the base."""

    path: str
    """The file's path."""
    insertions: int | None
    """How many lines were added; null for a binary file."""
    deletions: int | None
    """How many lines were removed; null for a binary file."""


class ComparisonObject(TypedDict):
    """What a session changed."""

    session_id: str
    """The session's id."""
    branch: str | None
    """The branch of its worktree; null without a worktree."""
    base: str | None
    """The branch, tag or commit that the branch started from; null without a worktree."""
    base_commit: str | None
    """The commit that the branch started from, as a full hash; null without a worktree."""
    commits: list[CommitObject]
    """The commits since then, oldest first."""
    dirty: bool | None
    """Whether there are uncommitted changes or untracked files; null without a worktree."""
    files: list[FileChangeObject]
    """The files that differ; without a worktree, those that its recorded edits changed."""
