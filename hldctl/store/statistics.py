"""Sums over sessions."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from hldctl.states import Status
from hldctl.store.connection import execute


class By(StrEnum):
    """What sessions are grouped by."""

    DAY = "day"
    MODEL = "model"
    DIRECTORY = "directory"
    TITLE = "title"
    STATUS = "status"
    NAME = "name"
    GROUP = "group"


_KEYS = {
    # The user's own days: SQLite asks the C library, which obeys TZ.
    By.DAY: "date(created_at / 1000, 'unixepoch', 'localtime')",
    By.MODEL: "model",
    By.DIRECTORY: "working_dir",
    By.TITLE: "title",
    By.STATUS: "status",
    By.NAME: "name",
    By.GROUP: "group_name",
}

_DIGITS = 10
"""Of a sum of dollars; what lies behind is the rounding of floating point."""


class Sums(NamedTuple):
    """Of the sessions that have the key in common; a sum of nothing that is known is None."""

    key: str | None
    sessions: int
    completed: int
    failed: int
    interrupted: int
    running: int
    """All that have not ended, the queued ones too."""
    cost_usd: float | None
    input_tokens: int | None
    output_tokens: int | None
    cache_creation_input_tokens: int | None
    cache_read_input_tokens: int | None
    num_turns: int | None
    duration_ms: int | None

    @property
    def success_rate(self) -> float | None:
        """The share of those that have ended."""
        ended = self.sessions - self.running
        return round(self.completed / ended, 4) if ended else None


def sums(by: By, *, created_since: int | None = None, archived: bool = False) -> list[Sums]:
    """Days in their order; of all else the dearest first."""
    conditions = ([] if archived else ["archived = 0"]) + ([] if created_since is None else ["created_at >= ?"])
    columns = [
        _KEYS[by],
        "COUNT(*)",
        *(f"SUM(status = '{status}')" for status in (Status.COMPLETED, Status.FAILED, Status.INTERRUPTED)),
        "SUM(completed_at IS NULL)",
        f"ROUND(SUM(cost_usd), {_DIGITS})",
        *(f"SUM({column})" for column in Sums._fields[Sums._fields.index("input_tokens") :]),
    ]
    order = "1" if by is By.DAY else "SUM(cost_usd) DESC, COUNT(*) DESC, 1 NULLS LAST"
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = execute(
        f"SELECT {', '.join(columns)} FROM sessions {where} GROUP BY 1 ORDER BY {order}",
        () if created_since is None else (created_since,),
    )
    return [Sums(*row) for row in rows]


def total(parts: Sequence[Sums]) -> Sums:
    """The sum of sums."""
    columns = zip(*(part[1:] for part in parts), strict=True)
    known = ([value for value in column if value is not None] for column in columns)
    return Sums(None, *(sum(values) if values else None for values in known))  # type: ignore[arg-type]  # counts are known
