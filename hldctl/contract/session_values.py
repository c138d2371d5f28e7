"""The objects within the JSON of a session.

The fields of the session itself are declared with its columns, in `store.session` and in `settings`.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from hldctl.contract.timestamp import Timestamp
from hldctl.states import Condition, TaskKind


class CheckObject(TypedDict):
    """The check of a session."""

    command: str
    """The command of `--check`."""
    tries: int
    """How often the command has run and ended."""
    max_tries: int
    """How many tries may fail until the session has failed."""
    passed: bool | None
    """Whether the last try succeeded; null before it, and while one runs."""
    output: str | None
    """What the last failed try printed, cut in the middle to 10 kB; null if none has failed."""


class TaskObject(TypedDict):
    """A task that runs in the background."""

    id: str
    """The task's id in Claude Code."""
    kind: TaskKind
    """What runs: an agent, a command, or something else."""
    description: str
    """Claude Code's description of the task, at most 200 characters."""
    tool_id: str | None
    """The id of the tool call that started it; null if it is unknown."""
    started_at: Timestamp
    """When it started."""


class PredecessorRefObject(TypedDict):
    """A session that another one starts after."""

    id: str
    """The session's id."""
    condition: Condition
    """What the other session waits for."""


class LandingObject(TypedDict):
    """Where the work of a worktree was landed."""

    branch: str
    """The branch that has the work."""
    commit: str
    """The commit there, as a full hash."""


class WorktreeObject(TypedDict):
    """The git worktree that hldctl made for a session."""

    path: str
    """The worktree's root, an absolute path."""
    branch: str
    """The branch that the session works on."""
    base: str
    """The branch, tag or commit that the branch started from."""
    base_commit: str
    """The commit that the branch started from, as a full hash."""
    ahead: int | None
    """How many commits the branch is ahead of its base; null until they have been counted."""
    dirty: bool | None
    """Whether there are uncommitted changes or untracked files; null until that has been looked at."""
    files: int | None
    """How many files differ from the base; null until they have been counted."""
    insertions: int | None
    """How many lines were added; null until they have been counted."""
    deletions: int | None
    """How many lines were removed; null until they have been counted."""
    landed: LandingObject | None
    """Where the work was landed last; null if it was never landed."""
    kept: str | None
    """The git ref that has what was in the worktree when it was removed; null if nothing is kept there."""


class DenialObject(TypedDict):
    """A tool call that was denied, as Claude Code reports it; it may have more fields."""

    tool_name: NotRequired[str]
    """The tool."""
    tool_use_id: NotRequired[str]
    """The id of the tool call."""
    tool_input: NotRequired[dict[str, Any]]
    """The input of the call."""


class ComputedFields(TypedDict):
    """The fields of a session that are computed from several columns."""

    check: CheckObject | None
    """The check that decides whether it completes; null without `--check`."""
