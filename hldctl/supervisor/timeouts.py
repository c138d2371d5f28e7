"""The timeout and the idle timeout of a session; a change of supervisor does not restart them."""

from __future__ import annotations

import time

from hldctl.ingest.state import ReducerState
from hldctl.paths import SessionFiles
from hldctl.states import EndReason, TaskKind
from hldctl.store import events, sessions
from hldctl.store.session import Session
from hldctl.supervisor.claude_process import ClaudeProcess
from hldctl.supervisor.stall import StallDetector, journal_stamp
from hldctl.supervisor.termination import has_younger_descendants
from hldctl.system.clock import current_time_ms


class Timeouts:
    """Deadlines on the monotonic clock; after an adoption, the elapsed time comes from the wall clock."""

    def __init__(self, session: Session, files: SessionFiles, process: ClaudeProcess) -> None:
        self._session_id: str = session.id
        self._files = files
        self._process = process
        self._deadline_seconds = monotonic_deadline(session)
        self._idle_seconds = None if session.idle_timeout_ms is None else session.idle_timeout_ms / 1000
        self._journal_stamp = journal_stamp(files)
        idle_seconds = max(0.0, current_time_ms() / 1000 - self._journal_stamp[1] / 1e9)
        self._active_at_seconds = time.monotonic() - (idle_seconds if self._idle_seconds is not None else 0.0)
        self._stall = None if session.stall_ms is None else StallDetector(session, files)

    def find_expired(self) -> EndReason | None:
        """Return the timeout that has expired by now, or None."""
        now_seconds = time.monotonic()
        if self._deadline_seconds is not None and now_seconds >= self._deadline_seconds:
            return EndReason.TIMEOUT
        if self._idle_seconds is None:
            return None
        stamp = journal_stamp(self._files)
        # Silent tool calls, pending permission requests and tasks in the background are activity, too.
        if stamp != self._journal_stamp or (self._is_idle_too_long(now_seconds) and self._is_working()):
            self._journal_stamp, self._active_at_seconds = stamp, now_seconds
        return EndReason.IDLE_TIMEOUT if self._is_idle_too_long(now_seconds) else None

    def find_stall(self, state: ReducerState, *, is_kept_idle: bool) -> EndReason | None:
        """Return the reason to stop if Claude Code has stalled by now; `is_kept_idle` is as in `StallDetector`."""
        has_stalled = self._stall is not None and self._stall.has_stalled(state, is_kept_idle=is_kept_idle)
        return EndReason.STALLED if has_stalled else None

    def seconds_left(self) -> float | None:
        """Return the seconds until a timeout may expire; None if the session has none."""
        now_seconds = time.monotonic()
        ends = [] if self._deadline_seconds is None else [self._deadline_seconds]
        if self._idle_seconds is not None:
            ends.append(self._active_at_seconds + self._idle_seconds)
        if self._stall is not None:
            ends.append(self._stall.due_seconds)
        return max(0.0, min(ends) - now_seconds) if ends else None

    def _is_idle_too_long(self, now_seconds: float) -> bool:
        return self._idle_seconds is not None and now_seconds >= self._active_at_seconds + self._idle_seconds

    def _is_working(self) -> bool:
        """Return whether an agent works in the background, or a process of a tool call or of such a task runs."""
        tasks = sessions.background_tasks(self._session_id)
        if any(task["kind"] != TaskKind.COMMAND for task in tasks):
            return True
        called_at_ms = events.oldest_open_call(self._session_id, [task["tool_id"] for task in tasks])
        return called_at_ms is not None and has_younger_descendants(
            self._process, self._session_id, called_at_ms / 1000
        )


def session_deadline(session: Session) -> int | None:
    """Return the session's deadline in milliseconds since 1970, or None. Time in the queue does not count."""
    # A session that runs without `started_at` was started by a version that did not record it.
    if session.timeout_ms is None or (session.started_at is None and session.pid is None):
        return None
    return int((session.started_at or session.created_at) + session.timeout_ms)


def monotonic_deadline(session: Session) -> float | None:
    """Return the deadline on the monotonic clock: at most the timeout from now, even if the wall clock was set back."""
    ends_at_ms = session_deadline(session)
    if ends_at_ms is None or session.timeout_ms is None:
        return None
    return time.monotonic() + min(ends_at_ms - current_time_ms(), session.timeout_ms) / 1000
