"""Sessions that record what was said in Claude Code without a supervisor: in a terminal, or before hldctl knew of it.

Each is recorded at once, as a session that has ended. Its journal is converted from Claude Code's transcript.
"""

from __future__ import annotations

import os
from contextlib import closing

from hldctl.claude.transcripts.transcript import Transcript
from hldctl.errors import WrongState
from hldctl.ingest import session_record
from hldctl.ingest.ingester import Ingester
from hldctl.paths import StateDirectory
from hldctl.private_files import replace_private, unusable_path_error
from hldctl.protocol.launch_request import LaunchRequest
from hldctl.states import EndReason, Source, Status
from hldctl.store import sessions
from hldctl.store.database import open_database
from hldctl.supervisor import launch
from hldctl.system import file_lock

_LOCK_SECONDS = 2.0


def record(state: StateDirectory, request: LaunchRequest, source: Source, transcript: Transcript) -> None:
    """Record a transcript as the session that the request describes.

    What a process recorded of it before it was killed is replaced: the files are complete before the row exists, and
    the row is complete once it has all of the journal. Raise UnfitEnvironment if the files cannot be written, and
    WrongState if another process has recorded it or does so now.
    """
    row = session_record.row_from_request(request) | {
        "source": str(source),
        "status": str(Status.COMPLETED),
        "end_reason": str(EndReason.SUCCESS),
        "claude_session_id": transcript.conversation_id,
        "created_at": transcript.began_at,
        "started_at": transcript.began_at,
        "last_activity_at": transcript.ended_at,
        "completed_at": transcript.ended_at,
        "supervisor_pid": None,
    }
    with open_database(state):
        _discard(state, request.session_id)
        files = launch.prepare_files(request, row, state, may_wait=False)
        try:
            # Only a supervisor would need it.
            files.request.unlink(missing_ok=True)
            replace_private(files.journal, transcript.journal(request.session_id))
        except OSError as error:
            raise unusable_path_error(state.root, error) from error
        session_record.create(session_record.new_session(row, request.settings.mcp_config))
        session = sessions.get(request.session_id)
        assert session is not None, "the session was deleted while it was recorded"
        with closing(Ingester(session, files)) as ingester:
            ingester.finish()
        sessions.mark_replayed(request.session_id, transcript.ended_at)
        session_record.save_current(request.session_id, files)


def is_complete(state: StateDirectory, session_id: str) -> bool:
    """Return whether the session is recorded with all of its journal."""
    session = sessions.get(session_id)
    try:
        size = state.session(session_id).journal.stat().st_size
    except FileNotFoundError:
        # It was deleted later on.
        return session is not None
    return session is not None and session.journal_offset == size > 0


def _discard(state: StateDirectory, session_id: str) -> None:
    """Delete what a killed process has recorded; raise WrongState if it is alive, or has completed the record."""
    files = state.session(session_id)
    if files.directory.exists():
        files.require_own()
        if (lock := file_lock.acquire(files.lock, _LOCK_SECONDS)) is None:
            raise WrongState(f"Session {session_id} is being recorded by another process; try again.")
        try:
            if is_complete(state, session_id):
                raise WrongState(f"Another process has just recorded this: it is session {session_id}.")
            launch.discard(files)
        finally:
            os.close(lock)
    sessions.delete(session_id)
