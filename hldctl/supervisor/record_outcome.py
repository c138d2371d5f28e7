"""Writing down how a session has ended, and telling all who wait for it."""

from __future__ import annotations

from collections.abc import Sequence

from hldctl.ingest import session_record
from hldctl.paths import StateDirectory, touch
from hldctl.states import EndReason, Status
from hldctl.store import sessions
from hldctl.store.session import Session
from hldctl.system.clock import now
from hldctl.system.processes import ProcessIdentity, is_running, recorded

_FILES_GONE = sessions.Ending(
    Status.FAILED, EndReason.LOST, "The session's files were deleted, so that nothing more is known of it."
)


def conclude(
    state: StateDirectory, session: Session, ending: sessions.Ending, left_running: Sequence[ProcessIdentity] = ()
) -> None:
    files = state.session(session.id)
    if session.on_end is None:
        # First: of an ended session nobody would look for it.
        files.request.unlink(missing_ok=True)
    sessions.end(session.id, ending, now(), left_running)
    session_record.keep_current(session.id, files)
    touch(files.change_signal)
    touch(state.queue_signal)


def conclude_without_files(state: StateDirectory, session: Session) -> None:
    """Ends a session whose files somebody has deleted, unless its Claude Code still works."""
    if is_running(recorded(session.pid or 0, session.boot_id, session.pid_started or 0)):
        return
    sessions.end(session.id, _FILES_GONE, now())
    # With the files went what the command at the end would have been run with.
    sessions.on_end_done(session.id)
    touch(state.queue_signal)
