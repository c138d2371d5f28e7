"""What each session that has not ended does at this moment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hldctl.states import EventType, NoteKind, Status
from hldctl.store import activity, approvals
from hldctl.store.activity import LastEvent, Live, OpenCall
from hldctl.store.approvals import Approval
from hldctl.store.connection import current

_TELLING = (
    *("command", "file_path", "notebook_path", "pattern", "path", "url", "query", "skill", "description", "prompt"),
    *("subject", "message"),
)
"""The inputs that say most of a call, in this order; without any of them the first text does."""
_LONGEST_ARGUMENT = 200


class Doing(StrEnum):
    QUEUED = "queued"
    STARTING = "starting"
    RESTARTING = "restarting"
    WAITING = "waiting"
    TOOL = "tool"
    RETRYING = "retrying"
    THINKING = "thinking"
    ANSWERING = "answering"
    STOPPING = "stopping"


@dataclass(frozen=True)
class Activity:
    """What a session does, since when, and until when if that is known: milliseconds since 1970."""

    doing: Doing
    since: int
    until: int | None = None
    tool: str = ""
    """What runs, or waits for permission."""
    argument: str = ""
    """What of its input says most."""
    more: int = 0
    """How many others run, or wait for permission, beside it."""
    approval_id: str | None = None
    """What the permission is asked for under."""
    name: str | None = None
    """The name that a queued session waits for; None if it waits for a slot."""
    ahead: int = 0
    """How many stand before it in the queue."""
    note: str = ""
    """Why it is tried again."""


def of_all() -> dict[str, Activity]:
    """By session, of all that have not ended: four queries, however many there are."""
    live = activity.live()
    if not live:
        return {}
    calls, last = activity.oldest_open_calls(), activity.last_events()
    waiting: dict[str, list[Approval]] = {}
    for approval in approvals.pending(current()):
        waiting.setdefault(approval.session_id, []).append(approval)
    return {
        session.id: _queued(session, live[:place])
        if session.status == Status.QUEUED
        else _of(session, waiting.get(session.id, []), calls.get(session.id), last.get(session.id))
        for place, session in enumerate(live)
    }


def last_words(session_id: str) -> str | None:
    """What Claude said last in the main conversation."""
    return activity.last_words(session_id)


def _queued(session: Live, before: Sequence[Live]) -> Activity:
    rivals = [other for other in before if session.name is not None and other.name == session.name]
    if rivals:
        return Activity(Doing.QUEUED, session.created_at, name=session.name, ahead=len(rivals))
    ahead = sum(other.status == Status.QUEUED for other in before)
    return Activity(Doing.QUEUED, session.created_at, ahead=ahead)


def _of(session: Live, waiting: Sequence[Approval], call: OpenCall | None, last: LastEvent | None) -> Activity:
    if session.status == Status.INTERRUPTING:
        return Activity(Doing.STOPPING, session.interrupt_requested_at or session.created_at)
    if waiting:
        longest = waiting[0]
        return Activity(
            Doing.WAITING,
            longest.created_at,
            tool=longest.tool_name,
            argument=argument(longest.tool_input),
            more=len(waiting) - 1,
            approval_id=longest.id,
        )
    if session.pid is None:
        return _starting(session)
    if call is not None:
        told = argument(call.tool_input)
        return Activity(Doing.TOOL, call.created_at, tool=call.tool_name or "", argument=told, more=call.calls - 1)
    return _speaking(session, last)


def _starting(session: Live) -> Activity:
    if not session.restarts:
        return Activity(Doing.STARTING, session.created_at)
    restart = session.restarts[-1]
    return Activity(Doing.RESTARTING, restart["at"], until=restart["due"], note=restart["reason"])


def _speaking(session: Live, last: LastEvent | None) -> Activity:
    """Claude Code tells of a message when it is complete: what it writes now follows on the last one."""
    if last is None:
        return Activity(Doing.THINKING, session.started_at or session.created_at)
    if last.note_kind == NoteKind.API_RETRY:
        return Activity(Doing.RETRYING, last.created_at, note=last.note or "")
    # The query may have been in a queue for long before it was read.
    since = max(last.created_at, session.started_at or 0)
    is_answer = last.event_type == EventType.MESSAGE and last.role == "assistant"
    return Activity(Doing.ANSWERING if is_answer else Doing.THINKING, since)


def argument(tool_input: str | None) -> str:
    """The input in a few words: a command, a path, a pattern."""
    try:
        said: Any = json.loads(tool_input or "null")
    except ValueError:
        return ""
    if not isinstance(said, dict):
        return ""
    texts = {name: value for name, value in said.items() if isinstance(value, str) and value.strip()}
    told = next((texts[name] for name in _TELLING if name in texts), next(iter(texts.values()), ""))
    return told[:_LONGEST_ARGUMENT]
