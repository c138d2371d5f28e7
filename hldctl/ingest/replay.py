"""Replay of the journals of ended sessions, for a database that has lost data."""

from __future__ import annotations

from hldctl.ingest import session_record
from hldctl.ingest.ingester import Ingester
from hldctl.ingest.state import ReducerState
from hldctl.paths import SessionFiles
from hldctl.store import events, feed, sessions
from hldctl.store.session import Session


def recover(
    files: SessionFiles, known: session_record.Row | None = None, doubtful: session_record.Row | None = None
) -> bool:
    """Restore a lost row, and the events if the session had ended; return False if the files do not describe the row.

    If the session had not ended, the supervisor that adopts it restores the events.
    """
    if not session_record.restore(files, known, doubtful):
        return False
    session = sessions.get(files.directory.name)
    if session is not None and session.completed_at is not None and files.journal.exists():
        rebuild(session, files)
    return True


def rebuild(session: Session, files: SessionFiles) -> None:
    """Replay the journal: the events get the same numbers, texts and times. The session's outcome does not change.

    If interrupted, the session's offset is before the end of its journal; `doctor` detects this and runs it again.
    """
    notified_feed_id = feed.last_published_sequence(session.id)
    query = session_record.query_event(session.id, session.query, session.created_at)
    events.reset_conversation(query, ReducerState().as_json())
    reset_session = sessions.get(session.id)
    assert reset_session is not None
    ingester = Ingester(reset_session, files, notified_feed_id)
    try:
        ingester.finish()
    finally:
        ingester.close()
    sessions.mark_replayed(session.id, session.last_activity_at)
