"""The predecessors of sessions: which of them are still awaited, and which one keeps a session from ever starting."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from hldctl.states import ENDED, Condition, EndReason, Status
from hldctl.store.connection import execute


class Predecessor(NamedTuple):
    """A session that another one is to start after."""

    id: str
    condition: Condition

    @classmethod
    def from_object(cls, value: Mapping[str, str]) -> Predecessor:
        return cls(value["id"], Condition(value["condition"]))

    def as_object(self) -> dict[str, str]:
        """Return it as the column `after` and the JSON of a session have it."""
        return {"id": self.id, "condition": str(self.condition)}


class Prospect(NamedTuple):
    """What the predecessors of a queued session allow."""

    awaited: tuple[str, ...] = ()
    """The predecessors that have not ended."""
    is_lost: bool = False
    """True if it can never start: a predecessor that had to complete has not, or was deleted."""


NO_PREDECESSORS = Prospect()


class Fault(NamedTuple):
    """The session because of which another one can never start."""

    id: str
    name: str | None = None
    status: Status | None = None
    """None if it was deleted."""
    end_reason: EndReason | None = None
    via: str | None = None
    """The predecessor in between that could not start either; None if the session at fault is a predecessor itself."""


class PredecessorAtFault(Exception):
    """Raised if a new session could never start."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.id)
        self.fault = fault


def parse(after: Iterable[Mapping[str, str]] | None) -> list[Predecessor]:
    """Return the predecessors in a value of the column `after`."""
    return [Predecessor.from_object(value) for value in after or ()]


def find_prospects(after: Mapping[str, str]) -> dict[str, Prospect]:
    """Return the prospect of each session, by id. `after` has their columns `after` as text. Takes one query."""
    parsed = {session_id: parse(json.loads(text)) for session_id, text in after.items()}
    statuses = _statuses({predecessor.id for predecessors in parsed.values() for predecessor in predecessors})
    return {session_id: _prospect(predecessors, statuses) for session_id, predecessors in parsed.items()}


def prospect(predecessors: Iterable[Predecessor]) -> Prospect:
    """Return the prospect of a session with these predecessors."""
    predecessors = list(predecessors)
    return _prospect(predecessors, _statuses({predecessor.id for predecessor in predecessors}))


def _statuses(ids: Iterable[str]) -> dict[str, str]:
    wanted = list(ids)
    if not wanted:
        return {}
    query = "SELECT id, status FROM sessions WHERE id IN (SELECT value FROM json_each(?))"
    return dict(execute(query, (json.dumps(wanted),)).fetchall())


def _prospect(predecessors: Iterable[Predecessor], statuses: Mapping[str, str]) -> Prospect:
    awaited = []
    for predecessor in predecessors:
        status = statuses.get(predecessor.id)
        if _is_at_fault(predecessor, status):
            return Prospect(is_lost=True)
        if status not in ENDED:
            awaited.append(predecessor.id)
    return Prospect(tuple(awaited))


def _is_at_fault(predecessor: Predecessor, status: str | None) -> bool:
    """Return whether a predecessor with this status, None for a deleted one, keeps a session from ever starting."""
    if status is None:
        return True
    return predecessor.condition is Condition.COMPLETED and status in ENDED and status != Status.COMPLETED


def find_fault(predecessors: Iterable[Predecessor]) -> Fault | None:
    """Return because of which session one with these predecessors can never start; None if it may start some day.

    If that session could not start either because of a predecessor of its own, return that one, down to the first.
    """
    row, via, seen = _row_at_fault(predecessors), None, set[str]()
    if row is None:
        return None
    while row.end_reason == EndReason.DEPENDENCY_FAILED and row.id not in seen:
        seen.add(row.id)
        deeper = _row_at_fault(parse(json.loads(row.after or "[]")))
        if deeper is None:
            break
        via, row = via or row.id, deeper
    status = None if row.status is None else Status(row.status)
    return Fault(row.id, row.name, status, None if row.end_reason is None else EndReason(row.end_reason), via)


class _Row(NamedTuple):
    id: str
    name: str | None = None
    status: str | None = None
    end_reason: str | None = None
    after: str | None = None


def _row_at_fault(predecessors: Iterable[Predecessor]) -> _Row | None:
    """Return the first of these predecessors that keeps a session from ever starting."""
    for predecessor in predecessors:
        values: tuple[Any, ...] | None = execute(
            "SELECT id, name, status, end_reason, after FROM sessions WHERE id = ?", (predecessor.id,)
        ).fetchone()
        row = _Row(predecessor.id) if values is None else _Row._make(values)
        if _is_at_fault(predecessor, row.status):
            return row
    return None


class PredecessorState(NamedTuple):
    """A predecessor as it is now; the status is None if it was deleted."""

    id: str
    condition: Condition
    name: str | None
    status: Status | None


def load_states(predecessors: Iterable[Predecessor]) -> list[PredecessorState]:
    """Return the predecessors as they are now, in this order."""
    predecessors = list(predecessors)
    query = "SELECT id, name, status FROM sessions WHERE id IN (SELECT value FROM json_each(?))"
    rows = execute(query, (json.dumps([predecessor.id for predecessor in predecessors]),))
    found = {session_id: (name, Status(status)) for session_id, name, status in rows}
    return [PredecessorState(*predecessor, *found.get(predecessor.id, (None, None))) for predecessor in predecessors]


def waiting_dependants(session_ids: Iterable[str]) -> dict[str, list[str]]:
    """Return, for each of these sessions that others have yet to start after, the ids of those others."""
    dependants: dict[str, list[str]] = {session_id: [] for session_id in session_ids}
    rows = execute(
        "SELECT id, after FROM sessions WHERE completed_at IS NULL AND after IS NOT NULL AND started_at IS NULL"
    )
    for session_id, after in rows:
        for predecessor in parse(json.loads(after)):
            if predecessor.id in dependants:
                dependants[predecessor.id].append(session_id)
    return {session_id: waiting for session_id, waiting in dependants.items() if waiting}
