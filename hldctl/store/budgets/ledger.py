"""The sums of what was spent; `events.record` writes the rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hldctl.store.budgets.limits import Limit
from hldctl.store.connection import execute
from hldctl.system.periods import Period, Span, span_of

_SUMS = (
    "SELECT group_name, sum(cost_usd), sum(iif(is_estimate, cost_usd, 0)) FROM spending"
    " WHERE spent_at >= ? AND spent_at < ? AND rehearsed = ? GROUP BY group_name"
)
_CENT_MILLIONTH = 10


class Amount(NamedTuple):
    """Dollars, and the part of them that is an estimate."""

    usd: float = 0.0
    estimated_usd: float = 0.0


class LimitSpending(NamedTuple):
    """A limit, its current period, and what was spent in it."""

    limit: Limit
    span: Span
    spent: Amount

    @property
    def is_spent(self) -> bool:
        return self.spent.usd >= self.limit.usd


def spending(limits: Iterable[Limit], now: int, *, rehearsed: bool = False) -> list[LimitSpending]:
    """Return what was spent so far in the current period of each limit.

    Rehearsals cost nothing: they count among themselves only.
    """
    limits = list(limits)
    spans = {period: span_of(period, now) for period in Period if any(limit.period is period for limit in limits)}
    groups = {period: _by_group(span, rehearsed) for period, span in spans.items()}
    return [LimitSpending(limit, spans[limit.period], _sum(limit, groups[limit.period])) for limit in limits]


def _by_group(span: Span, rehearsed: bool) -> dict[str | None, Amount]:
    rows = execute(_SUMS, (span.since, span.until, rehearsed)).fetchall()
    return {group: Amount(usd, estimated_usd) for group, usd, estimated_usd in rows}


def _sum(limit: Limit, groups: dict[str | None, Amount]) -> Amount:
    amounts = [amount for group, amount in groups.items() if limit.applies_to(group)]
    usd, estimated_usd = (round(sum(column), _CENT_MILLIONTH) for column in zip(Amount(), *amounts, strict=True))
    return Amount(usd, estimated_usd)
