"""How long a session may run, and how long it may be idle, counted from its launch whoever supervises it."""

from __future__ import annotations

import time

from hldctl.paths import SessionFiles
from hldctl.states import EndReason
from hldctl.store import events
from hldctl.store.session import Session
from hldctl.supervisor.claude_process import ClaudeProcess
from hldctl.supervisor.termination import younger_descendants
from hldctl.system.clock import now


class Limits:
    """Deadlines are kept by a clock that nobody sets; only an adopter has to take the time passed from the calendar."""

    def __init__(self, session: Session, files: SessionFiles, process: ClaudeProcess) -> None:
        self._session_id: str = session.id
        self._files = files
        self._process = process
        self._deadline = _by_steady_clock(deadline(session), session.timeout_ms)
        self._idle_seconds = None if session.idle_timeout_ms is None else session.idle_timeout_ms / 1000
        self._growth = _growth(files)
        since = max(0.0, now() / 1000 - self._growth[1] / 1e9)
        self._active_at = time.monotonic() - (since if self._idle_seconds is not None else 0.0)

    def reached(self) -> EndReason | None:
        """The limit that the session has reached by now."""
        moment = time.monotonic()
        if self._deadline is not None and moment >= self._deadline:
            return EndReason.TIMEOUT
        if self._idle_seconds is None:
            return None
        growth = _growth(self._files)
        # A tool that runs for long and says nothing is at work; so is whoever is asked for permission.
        if growth != self._growth or (self._is_due(moment) and self._tool_runs()):
            self._growth, self._active_at = growth, moment
        return EndReason.IDLE_TIMEOUT if self._is_due(moment) else None

    def seconds_left(self) -> float | None:
        """Until one may be reached; None if there are none."""
        moment = time.monotonic()
        ends = [] if self._deadline is None else [self._deadline]
        if self._idle_seconds is not None:
            ends.append(self._active_at + self._idle_seconds)
        return max(0.0, min(ends) - moment) if ends else None

    def _is_due(self, moment: float) -> bool:
        return self._idle_seconds is not None and moment >= self._active_at + self._idle_seconds

    def _tool_runs(self) -> bool:
        begun = events.oldest_open_call(self._session_id)
        return begun is not None and younger_descendants(self._process, self._session_id, begun / 1000)


def deadline(session: Session) -> int | None:
    """When a session has to have ended, in milliseconds since 1970: the time in a queue does not count."""
    # One that runs and has no such moment was started by a version that did not note it.
    if session.timeout_ms is None or (session.started_at is None and session.pid is None):
        return None
    return int((session.started_at or session.created_at) + session.timeout_ms)


def _by_steady_clock(ends_at: int | None, timeout_ms: int | None) -> float | None:
    """Never later than the timeout from now, though the clock may have been set back."""
    if ends_at is None or timeout_ms is None:
        return None
    return time.monotonic() + min(ends_at - now(), timeout_ms) / 1000


def _growth(files: SessionFiles) -> tuple[int, int]:
    """What changes when the journal grows: its size, and when it was written last."""
    try:
        status = files.journal.stat()
    except FileNotFoundError:
        return 0, 0
    return status.st_size, status.st_mtime_ns
