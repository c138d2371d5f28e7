"""Interrupting sessions: the intent is recorded, the supervisors act on it."""

from __future__ import annotations

from collections.abc import Sequence

from hldctl.errors import WrongState
from hldctl.paths import StateDirectory, touch
from hldctl.sessions import supervisors, wait
from hldctl.sessions.supervisor_health import Attention
from hldctl.store import sessions
from hldctl.store.database import opened
from hldctl.store.session import Session
from hldctl.supervisor import other_namespaces
from hldctl.supervisor.termination import GRACE_SECONDS
from hldctl.system.clock import now


def interrupt(
    state: StateDirectory, ids: Sequence[str], *, grace_seconds: float = GRACE_SECONDS, await_end: bool = True
) -> list[Session]:
    """Stops the sessions, all at once; returns those that had not ended before, as they are afterwards.

    While it waits, supervisors that do not answer are replaced.

    Raises WrongState for a session of another host, whose processes cannot be reached from here. One of another PID
    namespace, such as a container's, is stopped by its supervisor there, which sees what is recorded here.
    """
    with opened(state):
        # First: whoever has ended meanwhile has ended as it has ended.
        supervisors.adopt_lost(state, ids)
        for session in sessions.not_ended(ids):
            if not supervisors.is_here(session):
                _refuse_unless_supervised(session, state)
        requested = [
            session_id for session_id in ids if sessions.request_interrupt(session_id, now(), int(grace_seconds * 1000))
        ]
        for session_id in requested:
            touch(state.session(session_id).wake_signal)
            touch(state.session(session_id).change_signal)
        if not await_end:
            return [found for session_id in requested if (found := sessions.get(session_id)) is not None]
    return wait.wait(state, requested, attention=Attention(state)) if requested else []


def _refuse_unless_supervised(session: Session, state: StateDirectory) -> None:
    files = state.session(session.id)
    if other_namespaces.is_supervised(session, files):
        return
    if advice := other_namespaces.advice(session, files):
        raise WrongState(f"Session {session.id} runs {advice}.")
    raise WrongState(f"Session {session.id} runs on {session.host}; interrupt it there.")
