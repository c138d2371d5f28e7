"""The budgets: what is spent, reserved and left in the current period of each."""

from __future__ import annotations

from typing import NamedTuple

from hldctl.config import schema
from hldctl.contract.statistics import BudgetObject
from hldctl.store.admission import entries
from hldctl.store.admission.budget_room import BudgetRoom
from hldctl.system.clock import current_time_ms, format_rfc3339


class BudgetState(NamedTuple):
    """A budget in its current period. Times are milliseconds since 1970."""

    budget: str
    """The key that sets it."""
    group: str | None
    period: str
    limit_usd: float
    spent_usd: float
    estimated_usd: float
    """The part of what was spent that is an estimate."""
    reserved_usd: float
    """What running sessions may still spend."""
    rest_usd: float
    """What is neither spent nor reserved."""
    since: int
    until: int
    rehearsed: bool
    """True for what rehearsals have spent, which costs nothing."""


def load_budgets() -> list[BudgetState]:
    """Return the configured budgets, and those of rehearsals if there were any; raise BadUsage. Needs the database."""
    budgets = schema.load().budgets
    if not budgets.limits:
        return []
    room = BudgetRoom(budgets, entries.load_entries(), current_time_ms())
    states = []
    for rehearsed in (False, True):
        for (limit, span, spent), reserved in room.reserved(rehearsed=rehearsed):
            rest = max(0.0, round(limit.usd - spent.usd - reserved, 10))
            amounts = (limit.usd, spent.usd, spent.estimated_usd, round(reserved, 10), rest)
            if not rehearsed or spent.usd or reserved:
                states.append(BudgetState(limit.key, limit.group, limit.period, *amounts, *span, rehearsed))
    return states


def budget_object(state: BudgetState) -> BudgetObject:
    """Return a budget as a JSON object."""
    times = {"since": format_rfc3339(state.since), "until": format_rfc3339(state.until)}
    return {**state._asdict(), **times}  # type: ignore[typeddict-item]  # the other fields are those of the state
