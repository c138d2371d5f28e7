"""Interrupting sessions: the intent is recorded in the database, and the supervisors act on it."""

from __future__ import annotations

from collections.abc import Sequence

from hldctl.errors import WrongState
from hldctl.paths import StateDirectory
from hldctl.private_files import touch
from hldctl.protocol.interrupt import GRACE_SECONDS
from hldctl.sessions import supervisors, wait
from hldctl.sessions.supervisor_health import SupervisorMonitor
from hldctl.store import sessions
from hldctl.store.database import open_database
from hldctl.store.session import Session
from hldctl.supervisor.processes import other_namespaces
from hldctl.system.clock import current_time_ms


def interrupt_sessions(
    state: StateDirectory, ids: Sequence[str], *, grace_seconds: float = GRACE_SECONDS, await_end: bool = True
) -> list[Session]:
    """Stop the sessions in parallel; return the new state of those that had not ended before.

    Replace supervisors that do not respond in the meantime.

    Raise WrongState for a session of another host, whose processes cannot be reached from here. A session in another
    PID namespace, such as a container's, is stopped by its supervisor there, which reads the same database.
    """
    with open_database(state):
        # First: a session that has already ended keeps its outcome.
        supervisors.adopt_lost(state, ids)
        for session in sessions.live_sessions(ids):
            if not supervisors.is_running_here(session):
                _refuse_unless_supervised(session, state)
        requested = [
            session_id
            for session_id in ids
            if sessions.request_interrupt(session_id, current_time_ms(), int(grace_seconds * 1000))
        ]
        for session_id in requested:
            touch(state.session(session_id).wake_signal)
            touch(state.session(session_id).change_signal)
        if not await_end:
            return [stored for session_id in requested if (stored := sessions.get(session_id)) is not None]
    return wait.wait_for_sessions(state, requested, attention=SupervisorMonitor(state)) if requested else []


def _refuse_unless_supervised(session: Session, state: StateDirectory) -> None:
    files = state.session(session.id)
    if other_namespaces.is_supervised(session, files):
        return
    if advice := other_namespaces.advice(session, files):
        raise WrongState(f"Session {session.id} runs {advice}.")
    raise WrongState(f"Session {session.id} runs on {session.host}; interrupt it there.")
