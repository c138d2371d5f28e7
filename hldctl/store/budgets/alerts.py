"""Alerts: a budget is nearly or completely spent. Each is recorded once, before its command runs."""

from __future__ import annotations

import os
from typing import NamedTuple

from hldctl.store.budgets import ledger
from hldctl.store.budgets.limits import Budgets, Limit
from hldctl.store.connection import execute, transaction
from hldctl.system.periods import Period

PERCENTS = (80, 100)
_TOLERANCE_USD = 1e-9

# The key of the table makes it one row, however many supervisors see the same.
_INSERT = """
INSERT OR IGNORE INTO budget_alerts (id, group_name, period, since, until, limit_usd, percent, rehearsed, spent_usd,
    created_at, is_pending)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
"""
_SELECT = (
    "SELECT id, group_name, period, since, until, limit_usd, percent, rehearsed, spent_usd FROM budget_alerts"
    " WHERE is_pending = 1 ORDER BY created_at, percent, rowid"
)


class Alert(NamedTuple):
    """A share of a budget that was reached. Times are milliseconds since 1970."""

    id: str
    group: str
    """Empty for the budget of all sessions."""
    period: str
    since: int
    until: int
    limit_usd: float
    percent: int
    rehearsed: bool
    spent_usd: float

    @property
    def key(self) -> str:
        """The key of the configuration file that sets the budget."""
        return Limit(self.group or None, Period(self.period), self.limit_usd).key


def record_due(budgets: Budgets, now: int, *, rehearsed: bool) -> None:
    """Record the alerts that are due and not recorded yet."""
    due = [
        (each, percent)
        for each in ledger.spending(budgets.limits, now, rehearsed=rehearsed)
        for percent in PERCENTS
        if each.spent.usd >= each.limit.usd * percent / 100 - _TOLERANCE_USD
    ]
    if not due:
        return
    with transaction():
        for (limit, span, spent), percent in due:
            key = (os.urandom(16).hex(), limit.group or "", str(limit.period), span.since, span.until, limit.usd)
            execute(_INSERT, (*key, percent, rehearsed, spent.usd, now))


def pending() -> list[Alert]:
    """Return the alerts whose command has not been started, oldest first."""
    return [Alert(*row)._replace(rehearsed=bool(row[7])) for row in execute(_SELECT).fetchall()]


def mark_done(alert_id: str) -> None:
    """Record that the command of an alert was started."""
    with transaction():
        execute("UPDATE budget_alerts SET is_pending = 0 WHERE id = ?", (alert_id,))
