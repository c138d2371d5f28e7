"""The transactions of admission: a session is inserted, leaves the queue, or works again after a pause."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hldctl.states import EndReason, IfOverBudget, IfRunning, Status, WaitReason
from hldctl.store import sessions
from hldctl.store.admission import limits, lineage, predecessors
from hldctl.store.admission.budget_room import BudgetRoom
from hldctl.store.admission.entries import Entry, load_entries
from hldctl.store.admission.lineage import Launching
from hldctl.store.admission.obstacles import find_obstacles
from hldctl.store.admission.rules import Rules
from hldctl.store.admission.turns import Turns
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
    limit_until: int | None = None
    """When its account may start it, in milliseconds since 1970; None if that is unknown or no limit holds it."""
    max_budget_usd: float | None = None
    """Its limit, which is lower than requested if its launcher has less left."""


def is_closed(account: str | None) -> bool:
    """Return whether the API refuses this account, so that a session may have to wait."""
    return account is not None and limits.find(account) is not None


def admit(
    new: NewSession,
    if_running: IfRunning,
    rules: Rules,
    if_over_budget: IfOverBudget = IfOverBudget.QUEUE,
    *,
    may_be_held: bool = True,
    is_attended: bool = False,
    launching: Launching | None = None,
) -> Admission:
    """Insert a new session as starting or queued.

    Raise NameTaken if its name is taken, and OverBudget if a budget has no room for it, and it may not wait for that.
    Raise PredecessorAtFault if it could never start because of a predecessor, and LaunchRefused if a session launches
    it that may not.
    The sessions that it replaces are interrupted in the same transaction, so that no other session gets in between.
    `may_be_held` is False if a usage limit or a refused login cannot hold the session, because it could not be started
    later; `is_attended` is True if somebody waits for the session, which then may try a refused login.
    """
    row, now = new.row, new.row["created_at"]
    with transaction():
        row = lineage.require_room(row, rules, launching or Launching())
        prospect = _require_prospect(row)
        gates = limits.load(now) if may_be_held else {}
        has_rivals = row["name"] is not None or rules.has_limit_for(row["group_name"])
        others = load_entries() if has_rivals or row["account"] in gates else []
        rivals = [other.id for other in others if other.name is not None and other.name == row["name"]]
        if rivals and if_running in (IfRunning.FAIL, IfRunning.SKIP):
            raise NameTaken(rivals[0])
        if if_running is IfRunning.REPLACE:
            for rival in rivals:
                sessions.request_interrupt(rival, row["created_at"], _REPLACED_GRACE_MS, EndReason.INTERRUPTED)
        entry = Entry(
            id=row["id"],
            name=row["name"],
            group=row["group_name"],
            status=Status.QUEUED,
            host=row["host"],
            boot_id=row["boot_id"],
            waiting_for=None,
            account=row["account"],
            max_budget_usd=row["max_budget_usd"],
            rehearsed=row["rehearsed"],
            prospect=prospect,
            launched_by=row["launched_by"],
        )
        turns = Turns(gates, others, now)
        gate = turns.gate(entry)
        if gate is not None and turns.may_probe_login(gate, is_attended=is_attended):
            turns.login_probe = entry.id
        if gate is not None and _is_over(gate, turns, now):
            limits.delete(gate.account)
            gate = None
        look = _judge([*others, entry], rules, now, turns if gate is not None else None)
        obstacle, budget = look.obstacles[entry.id], look.budgets.get(entry.id)
        if budget is not None and obstacle is WaitReason.BUDGET and if_over_budget is IfOverBudget.FAIL:
            raise OverBudget(budget)
        status = Status.STARTING if obstacle is None else Status.QUEUED
        until = gate.until if gate is not None and obstacle in (WaitReason.LIMIT, WaitReason.LOGIN) else None
        admitted: dict[str, Any] = {
            "waiting_for": obstacle,
            "limit_until": until,
            "waiting_budget": _stored(budget, obstacle),
        }
        admitted |= {"status": str(status), "was_queued": obstacle is not None}
        sessions.create({**row, **admitted}, new.query_event, new.mcp_servers)
        if obstacle is None and gate is not None:
            _begin_turn(entry, gate, rules, now)
    return Admission(
        status, obstacle, tuple(rivals) if if_running is IfRunning.REPLACE else (), until, row["max_budget_usd"]
    )


def _is_over(gate: limits.Gate, turns: Turns, now: int) -> bool:
    """Return whether the usage limit is over, with no session left that waits for it: then nothing has to be spread."""
    is_past = gate.until is not None and gate.until <= now and gate.wait_reason is WaitReason.LIMIT
    return is_past and not turns.is_probed(gate) and not limits.held_ids(gate.account)


def _begin_turn(entry: Entry, gate: limits.Gate, rules: Rules, now: int) -> None:
    """Record that a session of a closed account starts. Needs a transaction."""
    limits.release(entry.id)
    if not gate.is_reopening:
        limits.begin_probe(gate.account, entry.id, now)
    elif limits.held_ids(gate.account):
        limits.postpone(gate.account, now + rules.spread_ms)
    else:
        limits.delete(gate.account)


def _require_prospect(row: dict[str, Any]) -> predecessors.Prospect:
    """Return what the predecessors of a new session allow; raise PredecessorAtFault if it could never start."""
    required = predecessors.parse(row["after"])
    if (fault := predecessors.find_fault(required)) is not None:
        raise predecessors.PredecessorAtFault(fault)
    return predecessors.prospect(required)


def try_start(session_id: str, rules: Rules, now: int) -> bool:
    """Let a queued session leave the queue if nothing keeps it there; return whether it is starting now."""
    with transaction():
        look = _look(rules, now)
        entry = look.find(session_id)
        if entry is None or session_id not in look.obstacles:
            return False
        gate = look.turns.gate(entry)
        if (obstacle := look.obstacles[session_id]) is None:
            has_left = sessions.leave_queue(session_id, now)
            if has_left and gate is not None:
                _begin_turn(entry, gate, rules, now)
            return has_left
        budget = _stored(look.budgets.get(session_id), obstacle)
        if (obstacle, json.dumps(budget)) != (entry.waiting_for, entry.waiting_budget or "null"):
            is_held = gate is not None and obstacle is gate.wait_reason
            until = gate.until if is_held and gate is not None else None
            sessions.set_waiting_for(session_id, obstacle, limit_until=until, budget=budget)
        return False


def _stored(budget: BudgetWait | None, obstacle: WaitReason | None) -> dict[str, Any] | None:
    """Return the budget that a session waits for, as its column has it; None if it waits for something else."""
    return None if budget is None or obstacle is not WaitReason.BUDGET else budget.as_stored()


def try_restart(session_id: str, rules: Rules, now: int) -> bool:
    """Let a session start again if its restart is due and its account is not closed; return whether it may."""
    with transaction():
        look = _look(rules, now)
        entry = look.find(session_id)
        if entry is None or entry.restart_due is None:
            # It has not run yet, or was asked to stop.
            return entry is not None
        if session_id not in look.turns.starting:
            return False
        if (gate := look.turns.gate(entry)) is not None:
            _begin_turn(entry, gate, rules, now)
        else:
            limits.release(session_id)
        return True


class _Look(NamedTuple):
    """One look at the queue."""

    live: list[Entry]
    turns: Turns
    obstacles: Mapping[str, WaitReason | None]
    """What each queued session waits for."""
    budgets: Mapping[str, BudgetWait]
    """The budgets that have no room for a session, by its id."""

    def find(self, session_id: str) -> Entry | None:
        """Return the session; None if it has ended."""
        return next((entry for entry in self.live if entry.id == session_id), None)

    def may_start(self, entry: Entry) -> bool:
        """Return whether a session on this machine may leave the queue, or be restarted, now."""
        return self.obstacles.get(entry.id, entry) is None or entry.id in self.turns.starting


def _look(rules: Rules, now: int) -> _Look:
    live = load_entries()
    return _judge(live, rules, now, Turns(limits.load(now), live, now))


def _peek(rules: Rules) -> _Look:
    """Return what `_look` does, also from a database that cannot be written to."""
    live, now = load_entries(), current_time_ms()
    return _judge(live, rules, now, Turns({gate.account: gate for gate in limits.list_gates()}, live, now))


def _judge(live: list[Entry], rules: Rules, now: int, turns: Turns | None) -> _Look:
    room = BudgetRoom(rules.budgets, live, now)
    obstacles = find_obstacles(live, rules, room, turns)
    return _Look(live, turns or Turns({}, live, now), obstacles, room.waits)


def next_start(session_id: str, rules: Rules, now: int) -> int | None:
    """Return when a session has to look again: at the reopening of its account if it is the next one there.

    Without a closed account that is when its restart is due, in milliseconds since 1970. None for no particular time.
    """
    with transaction():
        look = _look(rules, now)
        turns, entry = look.turns, look.find(session_id)
        if entry is None:
            return None
        if (gate := turns.gate(entry)) is None:
            return entry.restart_due
        is_next = turns.next_in(gate.account) == session_id and not turns.is_probed(gate)
        if is_next:
            return gate.until
        return entry.restart_due if entry.restart_due is not None and entry.restart_due > now else None


def next_in_account(account: str, rules: Rules) -> str | None:
    """Return the session that starts next in a closed account; None if none waits, or the account is open."""
    return _peek(rules).turns.next_in(account)


def try_wake(session_id: str, rules: Rules, now: int) -> bool:
    """Let an idle session that has got a message work again if it has a slot; return whether it works now."""
    with transaction():
        look = _look(rules, now)
        entry = look.find(session_id)
        if entry is None:
            return False
        if entry.status == Status.QUEUED:
            if look.obstacles.get(session_id, WaitReason.SLOT) is not None:
                return False
            sessions.wake(session_id, now)
            if (gate := look.turns.gate(entry)) is not None:
                _begin_turn(entry, gate, rules, now)
        return True


def startable_ids(rules: Rules) -> list[str]:
    """Return the ids of the sessions on this machine that may leave the queue, or be restarted, now."""
    look = _peek(rules)
    return [entry.id for entry in look.live if look.may_start(entry)]


def ids_to_wake(rules: Rules) -> list[str]:
    """Return the ids of the queued sessions on this machine that may start now, or that have to end, oldest first.

    Those have to end that can never start because of a predecessor.
    """
    look = _peek(rules)
    return [entry.id for entry in look.live if look.may_start(entry) or entry.prospect.is_lost]


def sessions_ahead(session_id: str) -> list[str]:
    """Return the sessions that a queued session has to watch: the one before it in the queue, or all running ones.

    It watches its predecessors as well, except those that a session before it in the queue watches already. Only
    sessions on this machine count. Each session is thus watched by another one, and none watches many.
    """
    here = [entry for entry in load_entries() if entry.is_here]
    restarting = [entry.id for entry in here if entry.waiting_for is not None and entry.restart_due is not None]
    if session_id in restarting:
        # Before the first one, the probe of its account may run.
        probes = [gate.probe for gate in limits.list_gates() if gate.probe is not None]
        position = restarting.index(session_id)
        return restarting[position - 1 : position] if position else probes
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
