"""The transactions of admission: a session is inserted, leaves the queue, or works again after a pause."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hldctl.states import EndReason, IfOverBudget, IfRunning, Status, WaitReason
from hldctl.store import sessions
from hldctl.store.admission.budget_room import BudgetRoom
from hldctl.store.admission.entries import Entry, load_entries
from hldctl.store.admission.obstacles import find_obstacles
from hldctl.store.admission.rules import Rules
from hldctl.store.budgets.waits import BudgetWait
from hldctl.store.connection import transaction
from hldctl.system.clock import current_time_ms

_REPLACED_GRACE_MS = 10_000


class NameTaken(Exception):
    """Raised if another session with the same name has not ended."""

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id)
        self.session_id = session_id


class OverBudget(Exception):
    """Raised if a budget has no room for a session that may not wait."""

    def __init__(self, wait: BudgetWait) -> None:
        super().__init__(wait)
        self.wait = wait


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


def admit(
    new: NewSession, if_running: IfRunning, rules: Rules, if_over_budget: IfOverBudget = IfOverBudget.QUEUE
) -> Admission:
    """Insert a new session as starting or queued.

    Raise NameTaken if its name is taken, and OverBudget if a budget has no room for it, and it may not wait for that.
    The sessions that it replaces are interrupted in the same transaction, so that no other session gets in between.
    """
    row = new.row
    with transaction():
        others = load_entries() if row["name"] is not None or rules.has_limit_for(row["group_name"]) else []
        rivals = [other.id for other in others if other.name is not None and other.name == row["name"]]
        if rivals and if_running in (IfRunning.FAIL, IfRunning.SKIP):
            raise NameTaken(rivals[0])
        if if_running is IfRunning.REPLACE:
            for rival in rivals:
                sessions.request_interrupt(rival, row["created_at"], _REPLACED_GRACE_MS, EndReason.INTERRUPTED)
        entry = Entry(
            *(row["id"], row["name"], row["group_name"], Status.QUEUED, row["host"], row["boot_id"]),
            waiting_for=None,
            max_budget_usd=row["max_budget_usd"],
            rehearsed=row["rehearsed"],
        )
        obstacle, budget = _find_obstacle(entry, [*others, entry], rules)
        if budget is not None and if_over_budget is IfOverBudget.FAIL:
            raise OverBudget(budget)
        status = Status.STARTING if obstacle is None else Status.QUEUED
        admitted = {
            "status": str(status),
            "was_queued": obstacle is not None,
            "waiting_for": obstacle,
            "waiting_budget": None if budget is None else budget.as_stored(),
        }
        sessions.create({**row, **admitted}, new.query_event, new.mcp_servers)
    return Admission(status, obstacle, tuple(rivals) if if_running is IfRunning.REPLACE else ())


def try_start(session_id: str, rules: Rules, now: int) -> bool:
    """Let a queued session leave the queue if nothing keeps it there; return whether it is starting now."""
    with transaction():
        live = load_entries()
        entry = next((other for other in live if other.id == session_id), None)
        if entry is None or entry.status != Status.QUEUED or not entry.is_here:
            return False
        obstacle, budget = _find_obstacle(entry, live, rules)
        if obstacle is None:
            return sessions.leave_queue(session_id, now)
        stored = None if budget is None else budget.as_stored()
        if (obstacle, json.dumps(stored)) != (entry.waiting_for, entry.waiting_budget or "null"):
            sessions.set_waiting_for(session_id, obstacle, stored)
        return False


def _find_obstacle(entry: Entry, live: Sequence[Entry], rules: Rules) -> tuple[WaitReason | None, BudgetWait | None]:
    """Return what keeps the queued session from starting, and the budget if it is one."""
    room = BudgetRoom(rules.budgets, live, current_time_ms())
    return find_obstacles(live, rules, room)[entry.id], room.waits.get(entry.id)


def try_wake(session_id: str, rules: Rules, now: int) -> bool:
    """Let an idle session that has got a message work again if nothing prevents it; return whether it works now."""
    with transaction():
        live = load_entries()
        entry = next((other for other in live if other.id == session_id), None)
        if entry is None:
            return False
        if entry.status == Status.QUEUED:
            obstacle, _ = _find_obstacle(entry, live, rules) if entry.is_here else (WaitReason.SLOT, None)
            if obstacle is not None:
                return False
            sessions.wake(session_id, now)
        return True


def startable_ids(rules: Rules) -> list[str]:
    """Return the ids of the queued sessions on this machine that may start now, oldest first."""
    live = load_entries()
    obstacles = find_obstacles(live, rules, BudgetRoom(rules.budgets, live, current_time_ms()))
    return [session_id for session_id, obstacle in obstacles.items() if obstacle is None]


def sessions_ahead(session_id: str) -> list[str]:
    """Return the sessions that a queued session has to watch: the one before it in the queue, or all running ones.

    Only sessions on this machine count. Each session is thus watched by another one, and none watches many.
    """
    here = [entry for entry in load_entries() if entry.is_here]
    waiting = [entry.id for entry in here if entry.status == Status.QUEUED]
    if session_id not in waiting:
        return []
    position = waiting.index(session_id)
    running = [entry.id for entry in here if entry.status != Status.QUEUED]
    return waiting[position - 1 : position] if position else running
