"""Totals over sessions, by group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from hldctl.states import Status
from hldctl.store.session_table import SessionTable, run_time
from hldctl.system.orm import SQL, fn


class GroupBy(StrEnum):
    """The property that sessions are grouped by."""

    DAY = "day"
    MODEL = "model"
    DIRECTORY = "directory"
    TITLE = "title"
    STATUS = "status"
    NAME = "name"
    GROUP = "group"
    MACHINE = "machine"
    OWNER = "owner"


_KEYS = {
    # Days in the user's time zone: SQLite uses the C library, which obeys TZ.
    GroupBy.DAY: fn.date(SessionTable.created_at / 1000, "unixepoch", "localtime"),
    GroupBy.MODEL: SessionTable.model,
    GroupBy.DIRECTORY: SessionTable.working_dir,
    GroupBy.TITLE: SessionTable.title,
    GroupBy.STATUS: SessionTable.status,
    GroupBy.NAME: SessionTable.name,
    GroupBy.GROUP: SessionTable.group_name,
    GroupBy.MACHINE: SessionTable.host,
    # The caller knows the owners of machines.
    GroupBy.OWNER: SessionTable.host,
}

# Decimals of a sum of dollars; any later digits are floating-point errors.
_COST_DECIMALS = 10


class Sums(NamedTuple):
    """Totals of the sessions with the same key; a total is None if no session has the value."""

    key: str | None
    sessions: int
    completed: int
    failed: int
    interrupted: int
    running: int
    """Sessions that have not ended, including queued ones."""
    cost_usd: float | None
    input_tokens: int | None
    output_tokens: int | None
    cache_creation_input_tokens: int | None
    cache_read_input_tokens: int | None
    num_turns: int | None
    duration_ms: int | None
    run_time_ms: int | None
    """The time from the start of each session that has ended to its end."""

    @property
    def success_rate(self) -> float | None:
        """The share of completed sessions among those that have ended; None if none has."""
        ended = self.sessions - self.running
        return round(self.completed / ended, 4) if ended else None


def sums(by: GroupBy, *, created_since: int | None = None, archived: bool = False) -> list[Sums]:
    """Return the totals of each group: days in order, other groups by cost, highest first."""
    ends = [
        fn.SUM(SessionTable.status == str(status)) for status in (Status.COMPLETED, Status.FAILED, Status.INTERRUPTED)
    ]
    numbers = Sums._fields[Sums._fields.index("input_tokens") : Sums._fields.index("run_time_ms")]
    sums = [fn.SUM(getattr(SessionTable, name)) for name in numbers]
    sums.append(fn.SUM(run_time()))
    cost, count, key = fn.SUM(SessionTable.cost_usd), fn.COUNT(SQL("*")), _KEYS[by]
    running = fn.SUM(SessionTable.completed_at.is_null())
    query = SessionTable.select(key, count, *ends, running, fn.ROUND(cost, _COST_DECIMALS), *sums).group_by(SQL("1"))
    if not archived:
        query = query.where(SessionTable.archived == False)  # noqa: E712  peewee builds SQL of it
    if created_since is not None:
        query = query.where(SessionTable.created_at >= created_since)
    order = [SQL("1")] if by is GroupBy.DAY else [cost.desc(), count.desc(), SQL("1 NULLS LAST")]
    return [Sums(*row) for row in query.order_by(*order).tuples()]


def merge(groups: Sequence[Sums], key_of: Callable[[str | None], str | None]) -> list[Sums]:
    """Return the groups with other keys, those with the same one added up; highest cost first."""
    parts: dict[str | None, list[Sums]] = {}
    for group in groups:
        parts.setdefault(key_of(group.key), []).append(group)
    merged = [total(of_key)._replace(key=key) for key, of_key in parts.items()]
    return sorted(merged, key=lambda group: (-(group.cost_usd or 0.0), -group.sessions))


def total(parts: Sequence[Sums]) -> Sums:
    """Return the totals over all groups."""
    columns = zip(*(part[1:] for part in parts), strict=True)
    known = ([value for value in column if value is not None] for column in columns)
    return Sums(None, *(sum(values) if values else None for values in known))  # type: ignore[arg-type]  # counts are known
