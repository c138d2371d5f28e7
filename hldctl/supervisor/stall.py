"""Detection of stalls: Claude Code writes nothing while nothing that may take long is open."""

from __future__ import annotations

import time

from hldctl.ingest.state import ReducerState
from hldctl.paths import SessionFiles
from hldctl.store import events, sessions
from hldctl.store.session import Session
from hldctl.system.clock import current_time_ms


class StallDetector:
    """The stall limit of a session, on the monotonic clock; after an adoption, the silence so far counts."""

    def __init__(self, session: Session, files: SessionFiles) -> None:
        self._session_id: str = session.id
        self._files = files
        self._limit_seconds = (session.stall_ms or 0) / 1000
        self._stamp = journal_stamp(files)
        # A kept session that works again has got a message, to which Claude Code may not have reacted yet.
        active_at_seconds = max(self._stamp[1] / 1e9, session.last_activity_at / 1000)
        silent_seconds = max(0.0, current_time_ms() / 1000 - active_at_seconds)
        self._silent_since = time.monotonic() - silent_seconds
        self._was_kept_idle = False

    @property
    def due_seconds(self) -> float:
        """The time on the monotonic clock at which a stall may be found."""
        return self._silent_since + self._limit_seconds

    def has_stalled(self, state: ReducerState, *, is_kept_idle: bool) -> bool:
        """Return whether Claude Code has stalled by now.

        `is_kept_idle` is true while the session is kept open and waits for a message; the silence counts from then on.
        """
        now_seconds = time.monotonic()
        stamp = journal_stamp(self._files)
        if stamp != self._stamp or is_kept_idle or self._was_kept_idle:
            self._stamp, self._silent_since = stamp, now_seconds
        self._was_kept_idle = is_kept_idle
        if now_seconds < self.due_seconds:
            return False
        if self._is_anything_open(state):
            self._silent_since = now_seconds
            return False
        return True

    def _is_anything_open(self, state: ReducerState) -> bool:
        """Return whether Claude Code may be silent: a call, a task, a request, or nothing left to do."""
        session = sessions.get(self._session_id)
        return (
            session is None
            or bool(session.background_tasks)
            or session.pending_approvals > 0
            or (state.is_idle and not session.pending_messages)
            or events.oldest_open_call(self._session_id) is not None
        )


def journal_stamp(files: SessionFiles) -> tuple[int, int]:
    """Return the size and modification time (ns) of the journal, which change when it grows."""
    try:
        status = files.journal.stat()
    except FileNotFoundError:
        return 0, 0
    return status.st_size, status.st_mtime_ns
