"""The current activity of each session that has not ended."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hldctl.contract.activity import ActivityKind, ActivityObject, BudgetWaitObject, RunningTaskObject
from hldctl.sessions.inspect.tool_calls import key_input
from hldctl.states import EventType, NoteKind, Status, TaskKind, WaitReason
from hldctl.store import activity, approvals
from hldctl.store.activity import LastEvent, OpenCall, RunningSession
from hldctl.store.approvals import Approval
from hldctl.store.connection import current_connection
from hldctl.system.clock import format_rfc3339

if TYPE_CHECKING:
    from hldctl.store.budgets.waits import BudgetWait

# The most informative inputs of a call, best first. Without any of them, the first text is shown.
_LONGEST_ARGUMENT = 200


class BackgroundTask(NamedTuple):
    """A task that runs in the background."""

    kind: TaskKind
    description: str
    started_at: int


class Activity(NamedTuple):
    """What a session is doing, since when, and until when if known. Times are in milliseconds since 1970."""

    kind: ActivityKind
    since_ms: int
    until_ms: int | None = None
    tool: str = ""
    """The tool that runs or waits for permission."""
    argument: str = ""
    """The most informative part of the tool's input, or the command of the check."""
    more_count: int = 0
    """The number of other calls that run or wait for permission at the same time."""
    approval_id: str | None = None
    """The id of the permission request."""
    name: str | None = None
    """The name that a queued session waits for; None if it waits for something else."""
    waiting_for: WaitReason | None = None
    """What a queued session, or one that will be restarted, waits for."""
    predecessors: tuple[str, ...] = ()
    """The ids of the sessions that it is to start after and that have not ended."""
    budget: BudgetWait | None = None
    """The budget that it waits for."""
    ahead_count: int = 0
    """The number of sessions ahead of it in the queue."""
    note: str = ""
    """The reason for the retry."""
    is_after_check: bool = False
    """True if it restarts because of its check."""
    tasks: tuple[BackgroundTask, ...] = ()
    """The tasks that run in the background, oldest first."""


def load_activities() -> dict[str, Activity]:
    """Return the activity of each session that has not ended, by id. Takes four queries, whatever their number."""
    live = activity.running_sessions()
    if not live:
        return {}
    calls, last = activity.oldest_open_calls(), activity.last_events()
    waiting: dict[str, list[Approval]] = {}
    for approval in approvals.pending_approvals(current_connection()):
        waiting.setdefault(approval.session_id, []).append(approval)
    ids = {session.id for session in live}
    return {
        session.id: _queue_activity(session, live[:position], ids)
        if session.status == Status.QUEUED
        else _activity(session, waiting.get(session.id, []), calls.get(session.id), last.get(session.id))
        for position, session in enumerate(live)
    }


def activity_object(activity: Activity | None) -> ActivityObject | None:
    """Return an activity as a JSON object; None for a session that has ended."""
    if activity is None:
        return None
    tasks: list[RunningTaskObject] = [
        {"kind": task.kind, "description": task.description, "started_at": format_rfc3339(task.started_at)}
        for task in activity.tasks
    ]
    return {
        "kind": activity.kind,
        "since": format_rfc3339(activity.since_ms),
        "until": format_rfc3339(activity.until_ms),
        "tool": activity.tool or None,
        "argument": activity.argument or None,
        "more_count": activity.more_count,
        "approval_id": activity.approval_id,
        "name": activity.name,
        "waiting_for": activity.waiting_for,
        "budget": _budget_object(activity.budget),
        "ahead_count": activity.ahead_count,
        "predecessors": list(activity.predecessors),
        "note": activity.note or None,
        "tasks": tasks,
    }


def _budget_object(wait: BudgetWait | None) -> BudgetWaitObject | None:
    if wait is None:
        return None
    return {
        "group": wait.group,
        "period": wait.period,
        "limit_usd": wait.limit_usd,
        "is_spent": wait.is_spent,
        "until": format_rfc3339(wait.until),
    }


def latest_reply(session_id: str) -> str | None:
    """Return Claude's last text in the main conversation; None if there is none."""
    return activity.last_message(session_id)


def _queue_activity(session: RunningSession, earlier: Sequence[RunningSession], live_ids: Container[str]) -> Activity:
    """Return what a queued session waits for, and how many of the same are ahead of it."""
    reason = WaitReason.SLOT if session.waiting_for is None else WaitReason(session.waiting_for)
    if reason is WaitReason.NAME:
        ahead_count = sum(other.name == session.name for other in earlier)
        return Activity(
            ActivityKind.QUEUED, session.created_at, name=session.name, waiting_for=reason, ahead_count=ahead_count
        )
    if reason is WaitReason.PREDECESSORS:
        awaited = tuple(predecessor["id"] for predecessor in session.after if predecessor["id"] in live_ids)
        return Activity(ActivityKind.QUEUED, session.created_at, waiting_for=reason, predecessors=awaited)
    ahead_count = sum(other.status == Status.QUEUED for other in earlier)
    queued = Activity(
        ActivityKind.QUEUED,
        session.created_at,
        until_ms=session.limit_until,
        waiting_for=reason,
        ahead_count=ahead_count,
    )
    if reason is not WaitReason.BUDGET or session.waiting_budget is None:
        return queued
    # Imported here: the lists of other sessions do without.
    from hldctl.store.budgets.waits import BudgetWait

    wait = BudgetWait(**session.waiting_budget)
    return queued._replace(until_ms=wait.until, budget=wait)


def _activity(
    session: RunningSession, waiting: Sequence[Approval], call: OpenCall | None, last: LastEvent | None
) -> Activity:
    if session.status == Status.INTERRUPTING:
        return Activity(ActivityKind.STOPPING, session.interrupt_requested_at or session.created_at)
    if session.check_began_at is not None:
        command = (session.check_command or "")[:_LONGEST_ARGUMENT]
        return Activity(ActivityKind.CHECKING, session.check_began_at, argument=command)
    if waiting:
        oldest = waiting[0]
        return Activity(
            ActivityKind.WAITING,
            oldest.created_at,
            tool=oldest.tool_name,
            argument=key_argument(oldest.tool_input),
            more_count=len(waiting) - 1,
            approval_id=oldest.id,
        )
    if session.pid is None:
        return _start_activity(session)
    tasks = background_tasks(session.background_tasks)
    if call is not None:
        text, tool = key_argument(call.tool_input), call.tool_name or ""
        return Activity(
            ActivityKind.TOOL, call.created_at, tool=tool, argument=text, more_count=call.calls - 1, tasks=tasks
        )
    if tasks and session.turn_ended_at is not None:
        return Activity(ActivityKind.BACKGROUND, tasks[0].started_at, tasks=tasks)
    return _model_activity(session, last)._replace(tasks=tasks)


def background_tasks(recorded: Sequence[dict[str, Any]]) -> tuple[BackgroundTask, ...]:
    """Return a session's tasks in the background, as recorded."""
    tasks = [BackgroundTask(TaskKind(task["kind"]), task["description"], task["started_at"]) for task in recorded]
    return tuple(sorted(tasks, key=lambda task: task.started_at))


def _start_activity(session: RunningSession) -> Activity:
    if not session.restarts:
        return Activity(ActivityKind.STARTING, session.created_at)
    restart = session.restarts[-1]
    if session.waiting_for is not None:
        return Activity(
            ActivityKind.RESTARTING,
            restart["at"],
            until_ms=session.limit_until,
            waiting_for=WaitReason(session.waiting_for),
            note=restart["reason"],
        )
    return Activity(
        ActivityKind.RESTARTING,
        restart["at"],
        until_ms=restart["due"],
        note=restart["reason"],
        # Kinds of `protocol.restart`, which a listing does not load.
        is_after_check=restart["kind"] in ("check", "message"),
    )


def _model_activity(session: RunningSession, last: LastEvent | None) -> Activity:
    """Return what Claude does after its last event: Claude Code reports a message only when it is complete."""
    if last is None:
        return Activity(ActivityKind.THINKING, session.started_at or session.created_at)
    if last.note_kind == NoteKind.API_RETRY:
        return Activity(ActivityKind.RETRYING, last.created_at, note=last.note or "")
    # The prompt may have been queued for a long time before Claude Code read it.
    since = max(last.created_at, session.started_at or 0)
    # With tasks in the background, an answer would have ended the turn: the message is a subagent's.
    is_answer = last.event_type == EventType.MESSAGE and last.role == "assistant" and not session.background_tasks
    return Activity(ActivityKind.ANSWERING if is_answer else ActivityKind.THINKING, since)


def key_argument(tool_input: str | None) -> str:
    """Return the most informative part of a tool's input (a JSON object): a command, a path, a pattern."""
    try:
        inputs: Any = json.loads(tool_input or "null")
    except ValueError:
        return ""
    if not isinstance(inputs, dict):
        return ""
    return (key_input(inputs)[1] or "")[:_LONGEST_ARGUMENT]
