"""The transactions of admission: a session is inserted, leaves the queue, or works again after a pause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hldctl.states import EndReason, IfRunning, Status, WaitReason
from hldctl.store import sessions
from hldctl.store.admission import predecessors
from hldctl.store.admission.entries import Entry, load_entries
from hldctl.store.admission.obstacles import find_obstacles
from hldctl.store.admission.rules import Rules
from hldctl.store.connection import transaction

_REPLACED_GRACE_MS = 10_000


class NameTaken(Exception):
    """Raised if another session with the same name has not ended."""

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id)
        self.session_id = session_id


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
    waiting_for: WaitReason | None = None
    """What a queued session waits for."""
    replaced: tuple[str, ...] = ()
    """The sessions that this one interrupts."""


def admit(new: NewSession, if_running: IfRunning, rules: Rules) -> Admission:
    """Insert a new session as starting or queued; raise NameTaken if its name is taken and it may not wait.

    Raise PredecessorAtFault if it could never start because of a predecessor.
    The sessions that it replaces are interrupted in the same transaction, so that no other session gets in between.
    """
    row = new.row
    with transaction():
        prospect = _require_prospect(row)
        has_rivals = row["name"] is not None or rules.has_limit_for(row["group_name"])
        others = load_entries() if has_rivals else []
        rivals = [other.id for other in others if other.name is not None and other.name == row["name"]]
        if rivals and if_running in (IfRunning.FAIL, IfRunning.SKIP):
            raise NameTaken(rivals[0])
        if if_running is IfRunning.REPLACE:
            for rival in rivals:
                sessions.request_interrupt(rival, row["created_at"], _REPLACED_GRACE_MS, EndReason.INTERRUPTED)
        entry = Entry(
            row["id"], row["name"], row["group_name"], Status.QUEUED, row["host"], row["boot_id"], None, prospect
        )
        obstacle = find_obstacles([*others, entry], rules)[entry.id]
        status = Status.STARTING if obstacle is None else Status.QUEUED
        admitted = {"status": str(status), "was_queued": obstacle is not None, "waiting_for": obstacle}
        sessions.create({**row, **admitted}, new.query_event, new.mcp_servers)
    return Admission(status, obstacle, tuple(rivals) if if_running is IfRunning.REPLACE else ())


def _require_prospect(row: dict[str, Any]) -> predecessors.Prospect:
    """Return what the predecessors of a new session allow; raise PredecessorAtFault if it could never start."""
    required = predecessors.parse(row["after"])
    if (fault := predecessors.find_fault(required)) is not None:
        raise predecessors.PredecessorAtFault(fault)
    return predecessors.prospect(required)


def try_start(session_id: str, rules: Rules, now: int) -> bool:
    """Let a queued session leave the queue if nothing keeps it there; return whether it is starting now."""
    with transaction():
        live = load_entries()
        obstacles = find_obstacles(live, rules)
        if session_id not in obstacles:
            return False
        if (obstacle := obstacles[session_id]) is None:
            return sessions.leave_queue(session_id, now)
        if obstacle not in {entry.waiting_for for entry in live if entry.id == session_id}:
            sessions.set_waiting_for(session_id, obstacle)
        return False


def try_wake(session_id: str, rules: Rules, now: int) -> bool:
    """Let an idle session that has got a message work again if it has a slot; return whether it works now."""
    with transaction():
        live = load_entries()
        entry = next((other for other in live if other.id == session_id), None)
        if entry is None:
            return False
        if entry.status == Status.QUEUED:
            if find_obstacles(live, rules).get(session_id, WaitReason.SLOT) is not None:
                return False
            sessions.wake(session_id, now)
        return True


def startable_ids(rules: Rules) -> list[str]:
    """Return the ids of the queued sessions on this machine that may start now, oldest first."""
    return [session_id for session_id, obstacle in find_obstacles(load_entries(), rules).items() if obstacle is None]


def ids_to_wake(rules: Rules) -> list[str]:
    """Return the ids of the queued sessions on this machine that may start now, or that have to end, oldest first.

    Those have to end that can never start because of a predecessor.
    """
    live = load_entries()
    lost = {entry.id for entry in live if entry.prospect.is_lost}
    obstacles = find_obstacles(live, rules)
    return [session_id for session_id, obstacle in obstacles.items() if obstacle is None or session_id in lost]


def sessions_ahead(session_id: str) -> list[str]:
    """Return the sessions that a queued session has to watch: the one before it in the queue, or all running ones.

    It watches its predecessors as well, except those that a session before it in the queue watches already. Only
    sessions on this machine count. Each session is thus watched by another one, and none watches many.
    """
    here = [entry for entry in load_entries() if entry.is_here]
    waiting = [entry.id for entry in here if entry.status == Status.QUEUED]
    if session_id not in waiting:
        return []
    position = waiting.index(session_id)
    running = [entry.id for entry in here if entry.status != Status.QUEUED]
    ahead = waiting[position - 1 : position] if position else running
    return list(dict.fromkeys([*ahead, *_predecessors_to_watch(session_id, here)]))


def _predecessors_to_watch(session_id: str, here: Sequence[Entry]) -> list[str]:
    """Return the predecessors of a session that no session before it in the queue waits for."""
    watched = set[str]()
    for entry in here:
        if entry.id == session_id:
            return [each for each in entry.prospect.awaited if each not in watched]
        watched.update(entry.prospect.awaited)
    return []
