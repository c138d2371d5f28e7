"""Folding the journal of an ended session a second time, for a database that has lost of it."""

from __future__ import annotations

from hldctl.host.paths import SessionFiles
from hldctl.store import conversation, feed, sessions
from hldctl.store.session import Session
from hldctl.supervisor import row
from hldctl.supervisor.fold_state import FoldState
from hldctl.supervisor.recorder import Recorder


def recover(files: SessionFiles, known: row.Row | None = None, doubtful: row.Row | None = None) -> bool:
    """Makes a lost row again, with the events of a session that had ended; False where nothing tells what it was.

    One that had not ended is left to the supervisor that adopts it.
    """
    if not row.restore(files, known, doubtful):
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
    query = row.query_event(session.id, session.query, session.created_at)
    conversation.begin_anew(query, FoldState().as_json())
    emptied = sessions.get(session.id)
    assert emptied is not None
    recorder = Recorder(emptied, files, told)
    try:
        recorder.finish()
    finally:
        recorder.close()
    sessions.refolded(session.id, session.last_activity_at)
