"""Sessions that `hldctl open` has handed to a terminal: the lock that shows it, and the record of what was said.

The record is kept in a file until it is complete, so that the next command completes it if `hldctl open` is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from hldctl.claude.transcripts import conversations, transcript
from hldctl.errors import HldctlError, WrongState
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.private_files import replace_private
from hldctl.protocol.launch_request import LaunchRequest
from hldctl.sessions import inheritance, recording
from hldctl.sessions.summary import summarize
from hldctl.states import Source
from hldctl.store.database import UNWRITABLE, open_database
from hldctl.store.session import Session
from hldctl.system import file_lock


class OpenRecord(NamedTuple):
    """What is known before the first word is said."""

    request: LaunchRequest
    """The session that will record the words, without its query."""
    conversation_id: str
    directory: str
    """Claude Code's own directory."""
    opened_at: int
    """In milliseconds since 1970."""
    pid: int
    """The `hldctl open` that has the terminal."""

    def save(self, files: SessionFiles) -> None:
        """Write the record; its settings may hold secrets. Raise OSError."""
        request = json.loads(self.request.to_bytes())
        replace_private(files.open_record, json.dumps({**self._asdict(), "request": request}).encode())

    @classmethod
    def load(cls, files: SessionFiles) -> OpenRecord | None:
        """Return the record; None if there is none that can be read."""
        try:
            stored = json.loads(files.open_record.read_bytes())
            request = LaunchRequest.from_bytes(json.dumps(stored["request"]).encode())
            return cls(**{**stored, "request": request})
        except (OSError, ValueError, KeyError, TypeError):
            return None


def require_closed(state: StateDirectory, session: Session) -> None:
    """Raise WrongState if somebody has the session's conversation open in a terminal: two would write to it."""
    files = state.session(session.id)
    if not file_lock.is_free(files.open_lock):
        raise in_use(files)
    if session.claude_session_id is not None:
        directory = claude_directory(state, session)
        process = conversations.find_open(directory, session.claude_session_id)
        if process is not None and process.is_terminal:
            raise WrongState(
                f"Session {session.id} is open in Claude Code in a terminal (pid {process.pid}); leave it there first."
            )


def in_use(files: SessionFiles) -> WrongState:
    """Return the error for a session that `hldctl open` has open, or waits for."""
    record = OpenRecord.load(files)
    process = "" if record is None else f" (pid {record.pid})"
    return WrongState(
        f"Session {files.directory.name} is open in a terminal by hldctl open{process}; leave Claude Code there first."
    )


def claude_directory(state: StateDirectory, session: Session) -> Path:
    """Return the directory of Claude Code's state in which the session's transcript is."""
    variables = {**os.environ, **inheritance.environment(state, session.id)}
    return conversations.configuration_directory(variables, session.working_dir)


def record_left(state: StateDirectory, session_id: str) -> None:
    """Record what was said in a terminal whose `hldctl open` was killed, unless Claude Code still runs there.

    Raise nothing: the caller reads another session, or tries again later.
    """
    files = state.session(session_id)
    with contextlib.suppress(HldctlError, OSError, *UNWRITABLE):
        if (lock := file_lock.acquire(files.open_lock, timeout=0)) is None:
            return
        try:
            record = OpenRecord.load(files)
            if record is None or not _is_running(files, record):
                record_words(state, files)
        finally:
            os.close(lock)


def _is_running(files: SessionFiles, record: OpenRecord) -> bool:
    directory = Path(record.directory)
    return any(conversations.find_open(directory, each) is not None for each in _conversation_ids(files, record))


def record_words(state: StateDirectory, files: SessionFiles) -> list[str]:
    """Record what was said in each conversation, and return the ids of the sessions; needs the lock."""
    record = OpenRecord.load(files)
    recorded = [] if record is None else list(_record(state, files, record))
    for path in (files.open_conversations, files.settings_for_open, files.open_record):
        # The record last: without it nothing is left to do.
        path.unlink(missing_ok=True)
    return recorded


def _record(state: StateDirectory, files: SessionFiles, record: OpenRecord) -> Iterator[str]:
    for conversation_id in _conversation_ids(files, record):
        said = next(
            (
                said
                for path in conversations.find_transcripts(Path(record.directory), conversation_id)
                if path.stem == conversation_id and (said := transcript.read(path, record.opened_at)) is not None
            ),
            None,
        )
        if said is None:
            continue
        is_first = conversation_id == record.conversation_id
        other_id = _id_of_other(record, conversation_id)
        request = replace(
            record.request,
            session_id=record.request.session_id if is_first else other_id,
            run_id=record.request.run_id if is_first else other_id,
            query=said.query,
            summary=summarize(said.query),
            title=record.request.title if is_first else said.title,
        )
        with open_database(state):
            if not recording.is_complete(state, request.session_id):
                recording.record(state, request, Source.INTERACTIVE, said)
        yield request.session_id


def _conversation_ids(files: SessionFiles, record: OpenRecord) -> list[str]:
    """Return the opened conversation, and those that the user began or resumed from there."""
    return list(dict.fromkeys([record.conversation_id, *conversations.read_reported(files.open_conversations)]))


def _id_of_other(record: OpenRecord, conversation_id: str) -> str:
    """Return the same id each time that the record is completed."""
    return str(uuid.uuid5(uuid.UUID(record.request.session_id), conversation_id))
