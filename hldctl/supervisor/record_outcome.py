"""The record of a session's end, and the notification of all that wait for it."""

from __future__ import annotations

from collections.abc import Sequence

from hldctl.ingest import session_record
from hldctl.paths import StateDirectory
from hldctl.private_files import touch
from hldctl.states import EndReason, GateKind, Status
from hldctl.store import sessions
from hldctl.store.admission import limits
from hldctl.store.admission.limits import account_of
from hldctl.store.connection import transaction
from hldctl.store.session import Session
from hldctl.supervisor.queue.wake import wake_next, wake_startable
from hldctl.system.clock import current_time_ms
from hldctl.system.processes import ProcessIdentity, is_running, recorded_identity

_FILES_GONE = sessions.Ending(
    Status.FAILED, EndReason.LOST, "The session's files were deleted; how it ended is unknown."
)


def conclude(
    state: StateDirectory, session: Session, ending: sessions.Ending, left_running: Sequence[ProcessIdentity] = ()
) -> None:
    """Record a session's end, and wake the commands and supervisors that wait for it."""
    files = state.session(session.id)
    if session.on_end is None:
        # First: nothing would delete it after the session has ended.
        files.request.unlink(missing_ok=True)
    account = account_of(session.id, session.account)
    with transaction():
        sessions.end(session.id, ending, current_time_ms(), left_running)
        limits.forget(session.id)
        gate = limits.find(account)
        if gate is not None and gate.kind == GateKind.AUTH and ending.reason is EndReason.SUCCESS:
            # The login works again.
            limits.delete(account)
    session_record.save_current(session.id, files)
    touch(files.change_signal)
    touch(state.queue_signal)
    if gate is not None:
        wake_next(state, account)
    wake_startable(state)


def conclude_without_files(state: StateDirectory, session: Session) -> None:
    """Record the end of a session whose files were deleted, unless its Claude Code still runs."""
    if is_running(recorded_identity(session.pid or 0, session.boot_id, session.pid_started or 0)):
        return
    sessions.end(session.id, _FILES_GONE, current_time_ms())
    # The input of the command at the end was deleted with the files.
    sessions.mark_on_end_done(session.id)
    touch(state.queue_signal)
    wake_startable(state)
