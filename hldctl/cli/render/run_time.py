"""How long a session ran by the clock, and how much of that time Claude Code was at work."""

from __future__ import annotations

from hldctl.cli.render.format import clock
from hldctl.store.session import Session

# The start and the end of Claude Code are not work; up to here the difference says nothing else.
_MIN_DIFFERENCE_MS = 2000
_MIN_SHARE = 0.2


def run_time_ms(session: Session) -> int | None:
    """Return the time from the start of a session to its end; None if it has not ended."""
    if session.completed_at is None:
        return None
    return max(0, session.completed_at - (session.started_at or session.created_at))


def time_at_work(session: Session) -> str:
    """Return `3s at work`, without the waits for tasks in the background and for limits; empty if that is all."""
    total_ms = run_time_ms(session)
    if total_ms is None or session.duration_ms is None:
        return ""
    differs = total_ms - session.duration_ms > max(_MIN_DIFFERENCE_MS, _MIN_SHARE * total_ms)
    return f"{clock(session.duration_ms / 1000)} at work" if differs else ""
