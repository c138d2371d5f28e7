"""Reading a conversation without holding the database between two events: the caller may do anything there."""

from __future__ import annotations

from collections.abc import Iterator

from hldctl.errors import NoSuchSession
from hldctl.paths import StateDirectory
from hldctl.sessions import supervisors
from hldctl.sessions.supervisors import POLL_SECONDS
from hldctl.store import events, sessions
from hldctl.store.database import open_for_reading
from hldctl.store.events import Event
from hldctl.system.watcher import Wakeup


def follow_events(state: StateDirectory, session_id: str, after: int, *, follow: bool) -> Iterator[Event]:
    """Yield the events after a number, in order; with `follow`, until the session has ended."""
    signal = state.session(session_id).change_signal
    wakeup = Wakeup([signal] if signal.exists() else []) if follow else None
    try:
        while True:
            with open_for_reading(state):
                supervisors.adopt_lost(state, [session_id])
                # Before the events, so that they include everything before the end.
                if (session := sessions.get(session_id)) is None:
                    raise NoSuchSession(f"Session {session_id} was deleted.")
                page = events.events_after(session_id, after)
            yield from page.events
            if page.events:
                after = page.events[-1].sequence
            if not page.is_last:
                continue
            if wakeup is None or session.completed_at is not None:
                return
            wakeup.wait(POLL_SECONDS)
    finally:
        if wakeup is not None:
            wakeup.close()
