"""The room that budgets have for sessions: what is neither spent nor reserved for those that run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hldctl.states import Status, WaitReason
from hldctl.store.admission.entries import Entry
from hldctl.store.budgets import ledger
from hldctl.store.budgets.ledger import LimitSpending
from hldctl.store.budgets.limits import Budgets
from hldctl.store.budgets.waits import BudgetWait

# Sums of dollars have errors of this size.
_TOLERANCE_USD = 1e-9
# Running sessions that can spend; an idle one waits for a message, and is asked again when it gets one.
_NOT_SPENDING = (Status.QUEUED, Status.IDLE)


@dataclass
class _Room:
    """A limit's state during one look at the queue."""

    spending: LimitSpending
    reserved_usd: float = 0.0
    is_closed: bool = False
    """True if a session waits for it: those after it that need the same limit wait, too, even if they need less."""

    def lacks(self, usd: float) -> bool:
        limit_usd = self.spending.limit.usd
        total_usd = self.spending.spent.usd + self.reserved_usd + min(usd, limit_usd)
        return self.is_closed or self.spending.is_spent or total_usd > limit_usd + _TOLERANCE_USD


class BudgetRoom:
    """The room in all budgets, for one look at the queue."""

    def __init__(self, budgets: Budgets | None, live: Iterable[Entry], now: int) -> None:
        """Load what was spent, and count what running sessions may spend. Needs a transaction if there are budgets.

        Without known budgets, None, a session that waits for one continues to wait.
        """
        self._are_known = budgets is not None
        self._budgets = budgets = budgets or Budgets()
        self._rooms: dict[bool, Sequence[_Room]] = {}
        self._now = now
        self.waits: dict[str, BudgetWait] = {}
        """The budget that each session waits for, by id."""
        if budgets.limits:
            for entry in live:
                if entry.status not in _NOT_SPENDING:
                    self.reserve(entry)

    def find_wait(self, entry: Entry) -> BudgetWait | None:
        """Return the budget that has no room for the session; None if it may start.

        Of several, it is the one whose period ends last.
        """
        if not self._are_known and entry.waiting_for == WaitReason.BUDGET:
            return BudgetWait.from_stored(json.loads(entry.waiting_budget or "null"))
        usd = may_spend(entry, self._budgets)
        full = [room for room in self._rooms_for(entry) if room.lacks(usd)]
        for room in full:
            room.is_closed = True
        waits = [
            BudgetWait(limit.group, str(limit.period), limit.usd, spending.is_spent, spending.span.until)
            for spending in (room.spending for room in full)
            for limit in (spending.limit,)
        ]
        if not waits:
            return None
        self.waits[entry.id] = wait = max(waits, key=lambda each: (each.until, each.group is None))
        return wait

    def reserve(self, entry: Entry) -> None:
        """Reserve what the session may spend, because it runs or starts now."""
        usd = may_spend(entry, self._budgets)
        for room in self._rooms_for(entry):
            room.reserved_usd += usd

    def reserved(self, *, rehearsed: bool) -> list[tuple[LimitSpending, float]]:
        """Return each limit with what is reserved of it."""
        return [(room.spending, room.reserved_usd) for room in self._all_rooms(rehearsed)]

    def _rooms_for(self, entry: Entry) -> list[_Room]:
        return [room for room in self._all_rooms(entry.rehearsed) if room.spending.limit.applies_to(entry.group)]

    def _all_rooms(self, rehearsed: bool) -> Sequence[_Room]:
        if rehearsed not in self._rooms:
            amounts = ledger.spending(self._budgets.limits, self._now, rehearsed=rehearsed)
            self._rooms[rehearsed] = [_Room(amount) for amount in amounts]
        return self._rooms[rehearsed]


def may_spend(entry: Entry, budgets: Budgets) -> float:
    """Return what a session may spend from now on, in US dollars."""
    if entry.max_budget_usd is None:
        return budgets.reserve_usd
    return max(0.0, entry.max_budget_usd - (entry.cost_usd or 0.0))
