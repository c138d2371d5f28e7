"""Closing sessions that are kept open: the intent is recorded, and each supervisor ends its session after the turn."""

from __future__ import annotations

from collections.abc import Sequence

from hldctl.errors import WrongState
from hldctl.paths import StateDirectory
from hldctl.private_files import touch
from hldctl.sessions import lookup, supervisors, wait
from hldctl.store import messages, sessions
from hldctl.store.database import open_database
from hldctl.store.session import Session
from hldctl.system.clock import current_time_ms


def close_sessions(state: StateDirectory, refs: Sequence[str], *, await_end: bool = True) -> list[Session]:
    """Close the sessions and return their new state; raise WrongState if one has ended or is not kept open."""
    with open_database(state):
        found = [lookup.find_session(ref) for ref in refs]
        supervisors.adopt_lost(state, [session.id for session in found])
        for session in found:
            if session.completed_at is not None:
                raise WrongState(f"Session {session.id} has already ended.")
            if not session.keep_open:
                raise WrongState(f"Session {session.id} ends by itself after its turn; it is not kept open.")
        ids = [session.id for session in found if messages.close(session.id, current_time_ms())]
        for session_id in ids:
            touch(state.session(session_id).wake_signal)
        if not await_end:
            return [stored for session_id in ids if (stored := sessions.get(session_id)) is not None]
    return wait.wait_for_sessions(state, ids) if ids else []
