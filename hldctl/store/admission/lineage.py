"""What a session may launch: how deep, how many, and not once it is being interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, NamedTuple

from hldctl.store.admission.rules import Rules
from hldctl.store.budgets.launched import budget_left
from hldctl.store.connection import execute

# With less a session cannot begin.
_MIN_USD = 0.0001


class Refusal(Enum):
    """Why a session may not launch another one."""

    DEPTH = auto()
    """The new one would be too far below the session that a person launched."""
    NUMBER = auto()
    """Too many sessions that were launched within that one have not ended."""
    INTERRUPTED = auto()
    """The launching session was interrupted after the launch had begun."""
    BUDGET = auto()
    """Nothing, or less than was asked for, is left of the launching session's budget."""


class LaunchRefused(Exception):
    """Raised if a session may not launch another one."""

    def __init__(self, refusal: Refusal, session_id: str, left_usd: float = 0.0) -> None:
        """`session_id` is the launching session, or for DEPTH and NUMBER the one that a person launched."""
        super().__init__(refusal, session_id)
        self.refusal = refusal
        self.session_id = session_id
        self.left_usd = left_usd


_COUNT_LIVE = "SELECT count(*) FROM sessions WHERE completed_at IS NULL AND launchers ->> '$[0]' = ?"


class Launching(NamedTuple):
    """What admission has to know of a launch by a session."""

    requested_at: int = 0
    """When the launching command began, in milliseconds since 1970."""
    is_budget_chosen: bool = False
    """True if the new session's limit was asked for; otherwise it may be lowered."""


def require_room(row: Mapping[str, Any], rules: Rules, launching: Launching) -> dict[str, Any]:
    """Return the row with a limit that the launching session can pay. Needs a transaction.

    Raise LaunchRefused if a session may not launch this new one.
    """
    launchers = row["launchers"]
    if not launchers:
        return dict(row)
    root, launcher = launchers[0], launchers[-1]
    if _is_interrupted(launcher, launching.requested_at):
        raise LaunchRefused(Refusal.INTERRUPTED, launcher)
    if len(launchers) > rules.max_launch_depth:
        raise LaunchRefused(Refusal.DEPTH, root)
    if execute(_COUNT_LIVE, (root,)).fetchone()[0] >= rules.max_launched:
        raise LaunchRefused(Refusal.NUMBER, root)
    return {**row, "max_budget_usd": _affordable(launcher, row["max_budget_usd"], is_chosen=launching.is_budget_chosen)}


def _affordable(launcher: str, limit_usd: float | None, *, is_chosen: bool) -> float | None:
    """Return the limit of a new session: at most what is left to its launcher; None for no limit."""
    if (left_usd := budget_left(launcher)) is None:
        return limit_usd
    # Sums of dollars have small errors.
    is_too_much = limit_usd is not None and limit_usd > left_usd + _MIN_USD / 2
    if left_usd < _MIN_USD or (is_too_much and is_chosen):
        raise LaunchRefused(Refusal.BUDGET, launcher, max(0.0, left_usd))
    return left_usd if limit_usd is None else min(limit_usd, left_usd)


def _is_interrupted(session_id: str, requested_at: int) -> bool:
    """Return whether a session is being interrupted, or was after this time; one that has ended may be open again."""
    query = "SELECT interrupt_requested_at, completed_at FROM sessions WHERE id = ?"
    interrupted_at, completed_at = execute(query, (session_id,)).fetchone() or (None, None)
    return interrupted_at is not None and (completed_at is None or interrupted_at >= requested_at)
