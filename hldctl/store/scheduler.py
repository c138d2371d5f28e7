"""Scheduling of sessions: one running session per name, a limited number in total and per group.

First in, first out; a session blocked by its name or group does not hold up those after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hldctl.states import EndReason, IfRunning, Status
from hldctl.store import sessions
from hldctl.store.connection import execute, transaction
from hldctl.system.processes import is_this_machine

_REPLACED_GRACE_MS = 10_000


@dataclass(frozen=True)
class Slots:
    """Limits on the sessions that run at once on this machine, in total and per group; None for any number."""

    all: int | None = None
    groups: Mapping[str, int] = field(default_factory=dict)

    def has_limit_for(self, group: str | None) -> bool:
        """Return whether a session of this group may have to wait for a slot."""
        return self.all is not None or group in self.groups


class NameTaken(Exception):
    """Raised if another session with the same name has not ended."""

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id)
        self.session_id = session_id


class QueueEntry(NamedTuple):
    """A session that has not ended."""

    id: str
    name: str | None
    group: str | None
    status: str
    host: str
    boot_id: str | None


@dataclass(frozen=True)
class NewSession:
    """The rows of a session to be launched."""

    row: dict[str, Any]
    query_event: dict[str, Any]
    mcp_servers: list[dict[str, Any]]


@dataclass(frozen=True)
class Admission:
    """The result of `admit`."""

    status: Status
    replaced: tuple[str, ...] = ()
    """The sessions that this one interrupts."""


def admit(new: NewSession, if_running: IfRunning, slots: Slots) -> Admission:
    """Insert a new session as starting or queued; raise NameTaken if its name is taken and it may not wait.

    The sessions that it replaces are interrupted in the same transaction, so that no other session gets in between.
    """
    row = new.row
    with transaction():
        others = _live_sessions() if row["name"] is not None or slots.has_limit_for(row["group_name"]) else []
        rivals = [other.id for other in others if other.name is not None and other.name == row["name"]]
        if rivals and if_running in (IfRunning.FAIL, IfRunning.SKIP):
            raise NameTaken(rivals[0])
        if if_running is IfRunning.REPLACE:
            for rival in rivals:
                sessions.request_interrupt(rival, row["created_at"], _REPLACED_GRACE_MS, EndReason.INTERRUPTED)
        session = QueueEntry(row["id"], row["name"], row["group_name"], Status.QUEUED, row["host"], row["boot_id"])
        status = Status.STARTING if session.id in _eligible_ids([*others, session], slots) else Status.QUEUED
        admitted = {**row, "status": str(status), "was_queued": status is Status.QUEUED}
        sessions.create(admitted, new.query_event, new.mcp_servers)
    return Admission(status, tuple(rivals) if if_running is IfRunning.REPLACE else ())


def try_start(session_id: str, slots: Slots, now: int) -> bool:
    """Let a queued session leave the queue if it has a slot and its name; return whether it is starting now."""
    with transaction():
        if session_id not in _eligible_ids(_live_sessions(), slots):
            return False
        return sessions.leave_queue(session_id, now)


def try_wake(session_id: str, slots: Slots, now: int) -> bool:
    """Let an idle session that has got a message work again if it has a slot; return whether it works now."""
    with transaction():
        live = _live_sessions()
        entry = next((other for other in live if other.id == session_id), None)
        if entry is None:
            return False
        if entry.status == Status.QUEUED:
            if session_id not in _eligible_ids(live, slots):
                return False
            sessions.wake(session_id, now)
        return True


def sessions_ahead(session_id: str) -> list[str]:
    """Return the sessions that a queued session has to watch: the one before it in the queue, or all running ones.

    Only sessions on this machine count. Each session is thus watched by another one, and none watches many.
    """
    here = [other for other in _live_sessions() if is_this_machine(other.host, other.boot_id)]
    waiting = [other.id for other in here if other.status == Status.QUEUED]
    if session_id not in waiting:
        return []
    position = waiting.index(session_id)
    running = [other.id for other in here if other.status != Status.QUEUED]
    return waiting[position - 1 : position] if position else running


def queued_ids() -> list[str]:
    """Return the ids of the queued sessions, oldest first."""
    return [other.id for other in _live_sessions() if other.status == Status.QUEUED]


def may_start(session_id: str, slots: Slots) -> bool:
    """Return whether a queued session has a slot and its name now."""
    return session_id in _eligible_ids(_live_sessions(), slots)


def ids_with_name(name: str | None) -> list[str]:
    """Return the ids of the sessions with this name that have not ended, oldest first; none if `name` is None."""
    return [other.id for other in _live_sessions() if name is not None and other.name == name]


def _live_sessions() -> list[QueueEntry]:
    rows = execute(
        # An idle session with a message waits for a slot, as a queued one does.
        "SELECT id, name, group_name, iif(status = 'idle' AND pending_messages > 0, 'queued', status), host, boot_id"
        " FROM sessions WHERE completed_at IS NULL"
        " ORDER BY created_at, rowid"
    )
    return [QueueEntry(*row) for row in rows]


def _eligible_ids(live: Iterable[QueueEntry], slots: Slots) -> set[str]:
    """Return the ids of the queued sessions that may start now."""
    live = list(live)
    running = [session for session in live if session.status != Status.QUEUED]
    # An idle session keeps its name, and has no slot.
    working = [session for session in running if session.status != Status.IDLE]
    here = [session for session in working if is_this_machine(session.host, session.boot_id)]
    taken = len(here)
    taken_by_group = Counter(session.group for session in here)
    names = {session.name for session in running if session.name is not None}
    starters = set()
    for session in live:
        if session.status != Status.QUEUED or not is_this_machine(session.host, session.boot_id):
            continue
        has_name = session.name is None or session.name not in names
        if session.name is not None:
            names.add(session.name)
        has_slot = slots.all is None or taken < slots.all
        group_slots = None if session.group is None else slots.groups.get(session.group)
        has_group_slot = group_slots is None or taken_by_group[session.group] < group_slots
        if has_name and has_slot and has_group_slot:
            starters.add(session.id)
            taken += 1
            taken_by_group[session.group] += 1
    return starters
