"""Folding the journal of an ended session a second time, for a database that has lost of it."""

from __future__ import annotations

from hldctl.ingest import session_record
from hldctl.ingest.ingester import Recorder
from hldctl.ingest.state import FoldState
from hldctl.paths import SessionFiles
from hldctl.store import events, feed, sessions
from hldctl.store.session import Session


def recover(
    files: SessionFiles, known: session_record.Row | None = None, doubtful: session_record.Row | None = None
) -> bool:
    """Makes a lost row again, with the events of a session that had ended; False where nothing tells what it was.

    One that had not ended is left to the supervisor that adopts it.
    """
    if not session_record.restore(files, known, doubtful):
        return False
    session = sessions.get(files.directory.name)
    if session is not None and session.completed_at is not None and files.journal.exists():
        rebuild(session, files)
    return True


def rebuild(session: Session, files: SessionFiles) -> None:
    """Gives the events the numbers, texts and times that they had; how the session ended stays as it was decided.

    A death in the midst leaves a session whose place in the journal is not its end, which is to be seen and mended.
    """
    told = feed.last_event_told(session.id)
    query = session_record.query_event(session.id, session.query, session.created_at)
    events.begin_anew(query, FoldState().as_json())
    emptied = sessions.get(session.id)
    assert emptied is not None
    recorder = Recorder(emptied, files, told)
    try:
        recorder.finish()
    finally:
        recorder.close()
    sessions.refolded(session.id, session.last_activity_at)
