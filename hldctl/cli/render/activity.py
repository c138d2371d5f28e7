"""A session's current activity as text."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hldctl.cli.output import one_line
from hldctl.cli.render.asking import asking_text
from hldctl.cli.render.format import clock, time_of_day
from hldctl.contract.activity import ActivityKind
from hldctl.sessions.inspect.activity import Activity, BackgroundTask
from hldctl.states import TaskKind, WaitReason

if TYPE_CHECKING:
    from hldctl.store.budgets.waits import BudgetWait

STYLES = {ActivityKind.WAITING: "yellow", ActivityKind.RESTARTING: "yellow", ActivityKind.RETRYING: "yellow"}
"""Styles of the activities that may need attention."""


# The longest day has 25 hours.
_NEAR_MS = 25 * 3_600_000
_TASK_NOUNS = {TaskKind.AGENT: "agent", TaskKind.COMMAND: "command", TaskKind.OTHER: "task"}


def describe_activity(activity: Activity, now: float) -> tuple[str, str]:
    """Return the activity and how long it has lasted, empty if that says nothing; `now` in seconds since 1970."""
    elapsed = clock(now - activity.since_ms / 1000)
    match activity.kind:
        case ActivityKind.TOOL:
            return _call(activity), elapsed
        case ActivityKind.CHECKING:
            return f"check: {one_line(activity.argument)}", elapsed
        case ActivityKind.WAITING:
            return one_line(asking_text(activity.tool, activity.argument)) + _others(activity), elapsed
        case ActivityKind.QUEUED:
            return _queue_text(activity), ""
        case ActivityKind.RESTARTING if activity.waiting_for is not None:
            return f"{_queue_text(activity)}: {one_line(activity.note)}", ""
        case ActivityKind.RESTARTING:
            left = (activity.until_ms or 0) / 1000 - now
            when = f"in {clock(left)}" if left > 0 else "now"
            verb = "restarting" if activity.is_after_check else "retrying"
            return f"{verb} {when}: {one_line(activity.note)}", ""
        case ActivityKind.RETRYING:
            return one_line(activity.note), elapsed
        case ActivityKind.BACKGROUND:
            return f"waiting for {describe_tasks(activity.tasks)}", elapsed
    return str(activity.kind) + _in_background(activity), elapsed


def describe_tasks(tasks: Sequence[BackgroundTask]) -> str:
    """Return the description of a single task, otherwise how many of each kind there are."""
    if len(tasks) == 1 and (description := one_line(tasks[0].description)):
        return f"agent {description}" if tasks[0].kind is TaskKind.AGENT else description
    counts = [(sum(task.kind is kind for task in tasks), noun) for kind, noun in _TASK_NOUNS.items()]
    return ", ".join(f"{count} {noun}{'s' * (count > 1)}" for count, noun in counts if count)


def _predecessors_text(ids: Sequence[str]) -> str:
    if not ids:
        return "its predecessors"
    others = len(ids) - 1
    return ids[0][:8] + (f" and {others} more" if others else "")


def _in_background(activity: Activity) -> str:
    return f" (+{describe_tasks(activity.tasks)})" if activity.tasks else ""


def _call(activity: Activity) -> str:
    return one_line(f"{activity.tool} {activity.argument}") + _others(activity)


def _others(activity: Activity) -> str:
    return f" (+{activity.more_count})" if activity.more_count else ""


def describe_wait(wait: BudgetWait) -> str:
    """Return what has happened to the budget, and until when; the day if that is not the next midnight."""
    is_near = wait.until - time.time() * 1000 < _NEAR_MS
    until = time.strftime("%H:%M" if is_near else "%Y-%m-%d", time.localtime(wait.until / 1000))
    return one_line(f"{wait.name} {wait.state_text} until {until}")


def _queue_text(activity: Activity) -> str:
    if activity.waiting_for is WaitReason.PREDECESSORS:
        return f"waiting for {_predecessors_text(activity.predecessors)}"
    ahead = f"{activity.ahead_count} ahead" if activity.ahead_count else "next in queue"
    match activity.waiting_for:
        case WaitReason.NAME:
            return f"waiting for its name, {ahead}"
        case WaitReason.LIMIT:
            return f"limit until {time_of_day(activity.until_ms)}" if activity.until_ms is not None else "usage limit"
        case WaitReason.LOGIN:
            return "waiting for a login"
        case WaitReason.BUDGET if activity.budget is not None:
            return f"waiting for budget: {describe_wait(activity.budget)}"
    return f"waiting for a slot, {ahead}"
