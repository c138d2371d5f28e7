"""Who may start: of one name one session at a time, of all and of each group as many as there are slots.

First come, first served; but who waits for a name, or for a slot in a group, keeps nobody else from a slot.
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
    """How many sessions may run at once on this machine; None for any number."""

    all: int | None = None
    groups: Mapping[str, int] = field(default_factory=dict)

    def concern(self, group: str | None) -> bool:
        """Whether a session of that group may have to wait for one."""
        return self.all is not None or group in self.groups


class NameTaken(Exception):
    """Another session of that name has not ended."""

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id)
        self.session_id = session_id


class Live(NamedTuple):
    """A session that has not ended."""

    id: str
    name: str | None
    group: str | None
    status: str
    host: str
    boot_id: str | None


@dataclass(frozen=True)
class NewSession:
    """The rows of a session that is launched."""

    row: dict[str, Any]
    query_event: dict[str, Any]
    mcp_servers: list[dict[str, Any]]


@dataclass(frozen=True)
class Admission:
    status: Status
    replaced: tuple[str, ...] = ()
    """The sessions that were asked to end for this one."""


def admit(new: NewSession, if_running: IfRunning, slots: Slots) -> Admission:
    """Insert a new session with the status that it may have: starting, or queued. Raise NameTaken.

    The sessions that it replaces are asked to end in the same transaction, so that nothing can come between.
    """
    row = new.row
    with transaction():
        others = _live() if row["name"] is not None or slots.concern(row["group_name"]) else []
        rivals = [other.id for other in others if other.name is not None and other.name == row["name"]]
        if rivals and if_running in (IfRunning.FAIL, IfRunning.SKIP):
            raise NameTaken(rivals[0])
        if if_running is IfRunning.REPLACE:
            for rival in rivals:
                sessions.request_interrupt(rival, row["created_at"], _REPLACED_GRACE_MS, EndReason.INTERRUPTED)
        itself = Live(row["id"], row["name"], row["group_name"], Status.QUEUED, row["host"], row["boot_id"])
        status = Status.STARTING if itself.id in _starters([*others, itself], slots) else Status.QUEUED
        admitted = {**row, "status": str(status), "was_queued": status is Status.QUEUED}
        sessions.create(admitted, new.query_event, new.mcp_servers)
    return Admission(status, tuple(rivals) if if_running is IfRunning.REPLACE else ())


def start(session_id: str, slots: Slots, now: int) -> bool:
    """Whether a queued session has a slot and its name now; it is starting then."""
    with transaction():
        if session_id not in _starters(_live(), slots):
            return False
        return sessions.leave_queue(session_id, now)


def ahead_of(session_id: str) -> list[str]:
    """Whose end, or death, lets a queued session go on: of this machine's the one before it, or all that run.

    So each is watched by somebody, and nobody watches many.
    """
    here = [other for other in _live() if is_this_machine(other.host, other.boot_id)]
    waiting = [other.id for other in here if other.status == Status.QUEUED]
    if session_id not in waiting:
        return []
    place = waiting.index(session_id)
    return waiting[place - 1 : place] if place else [other.id for other in here if other.status != Status.QUEUED]


def queued() -> list[str]:
    return [other.id for other in _live() if other.status == Status.QUEUED]


def may_start(session_id: str, slots: Slots) -> bool:
    return session_id in _starters(_live(), slots)


def with_name(name: str | None) -> list[str]:
    """Those of that name that have not ended, oldest first."""
    return [other.id for other in _live() if name is not None and other.name == name]


def _live() -> list[Live]:
    rows = execute(
        "SELECT id, name, group_name, status, host, boot_id FROM sessions WHERE completed_at IS NULL"
        " ORDER BY created_at, rowid"
    )
    return [Live(*row) for row in rows]


def _starters(live: Iterable[Live], slots: Slots) -> set[str]:
    """The queued sessions that may start now."""
    live = list(live)
    running = [session for session in live if session.status != Status.QUEUED]
    here = [session for session in running if is_this_machine(session.host, session.boot_id)]
    taken = len(here)
    in_groups = Counter(session.group for session in here)
    names = {session.name for session in running if session.name is not None}
    starters = set()
    for session in live:
        if session.status != Status.QUEUED or not is_this_machine(session.host, session.boot_id):
            continue
        has_name = session.name is None or session.name not in names
        if session.name is not None:
            names.add(session.name)
        has_slot = slots.all is None or taken < slots.all
        places = None if session.group is None else slots.groups.get(session.group)
        has_place = places is None or in_groups[session.group] < places
        if has_name and has_slot and has_place:
            starters.add(session.id)
            taken += 1
            in_groups[session.group] += 1
    return starters
