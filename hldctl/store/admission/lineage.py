"""What a session may launch: how deep, how many, and not once it is being interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from hldctl.store.admission.rules import Rules
from hldctl.store.connection import execute


class Refusal(Enum):
    """Why a session may not launch another one."""

    DEPTH = auto()
    """The new one would be too far below the session that a person launched."""
    NUMBER = auto()
    """Too many sessions that were launched within that one have not ended."""
    INTERRUPTED = auto()
    """The launching session was interrupted after the launch had begun."""


class LaunchRefused(Exception):
    """Raised if a session may not launch another one."""

    def __init__(self, refusal: Refusal, session_id: str) -> None:
        """`session_id` is the session that a person launched, or for INTERRUPTED the launching one."""
        super().__init__(refusal, session_id)
        self.refusal = refusal
        self.session_id = session_id


_COUNT_LIVE = "SELECT count(*) FROM sessions WHERE completed_at IS NULL AND launchers ->> '$[0]' = ?"


def require_room(row: Mapping[str, Any], rules: Rules, requested_at: int) -> None:
    """Raise LaunchRefused if a session may not launch this new one. Needs a transaction.

    `requested_at` is when the launching command began, in milliseconds since 1970.
    """
    launchers = row["launchers"]
    if not launchers:
        return
    root, launcher = launchers[0], launchers[-1]
    if _is_interrupted(launcher, requested_at):
        raise LaunchRefused(Refusal.INTERRUPTED, launcher)
    if len(launchers) > rules.max_launch_depth:
        raise LaunchRefused(Refusal.DEPTH, root)
    if execute(_COUNT_LIVE, (root,)).fetchone()[0] >= rules.max_launched:
        raise LaunchRefused(Refusal.NUMBER, root)


def _is_interrupted(session_id: str, requested_at: int) -> bool:
    """Return whether a session is being interrupted, or was after this time; one that has ended may be open again."""
    query = "SELECT interrupt_requested_at, completed_at FROM sessions WHERE id = ?"
    interrupted_at, completed_at = execute(query, (session_id,)).fetchone() or (None, None)
    return interrupted_at is not None and (completed_at is None or interrupted_at >= requested_at)
