"""The JSON object of what a session is doing."""

from __future__ import annotations

from enum import StrEnum
from typing import TypedDict

from hldctl.contract.timestamp import Timestamp
from hldctl.states import TaskKind, WaitReason


class ActivityKind(StrEnum):
    QUEUED = "queued"
    STARTING = "starting"
    RESTARTING = "restarting"
    WAITING = "waiting"
    TOOL = "tool"
    RETRYING = "retrying"
    THINKING = "thinking"
    ANSWERING = "answering"
    CHECKING = "checking"
    """The check runs."""
    BACKGROUND = "background"
    """The model waits for tasks in the background."""
    STOPPING = "stopping"


class BudgetWaitObject(TypedDict):
    """A budget without room for a session."""

    group: str | None
    """The group whose budget it is; null for the budget of all sessions."""
    period: str
    """`daily`, `weekly` or `monthly`."""
    limit_usd: float
    """The budget in US dollars."""
    is_spent: bool
    """False if a part of it is only reserved for sessions that run."""
    until: Timestamp
    """When the next period begins."""


class RunningTaskObject(TypedDict):
    """A task that runs in the background."""

    kind: TaskKind
    """What runs: an agent, a command, or something else."""
    description: str
    """Claude Code's description of the task."""
    started_at: Timestamp
    """When it started."""


class ActivityObject(TypedDict):
    """What a session is doing."""

    kind: ActivityKind
    """What it does, in a word."""
    since: Timestamp
    """Since when."""
    until: Timestamp | None
    """Until when, for a wait whose end is known; null otherwise."""
    tool: str | None
    """The tool that runs or waits for permission; null if none does."""
    argument: str | None
    """The most informative part of the tool's input, or the command of the check; null without one."""
    more_count: int
    """How many other calls run or wait for permission at the same time."""
    approval_id: str | None
    """The id of the permission request that it waits for; null if it waits for none."""
    name: str | None
    """The name that a queued session waits for; null if it waits for something else."""
    waiting_for: WaitReason | None
    """What a queued session, or one that will be restarted, waits for; null if it waits for nothing."""
    budget: BudgetWaitObject | None
    """The budget that it waits for; null if it waits for something else."""
    ahead_count: int
    """How many sessions are ahead of it in the queue."""
    predecessors: list[str]
    """The ids of the sessions that it starts after and that have not ended."""
    note: str | None
    """The reason for the retry; null if it does not retry."""
    tasks: list[RunningTaskObject]
    """The tasks that run in the background, oldest first."""
