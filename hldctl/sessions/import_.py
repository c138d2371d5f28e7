"""Import of a conversation that was begun in Claude Code without hldctl, as a session that has ended."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from hldctl.claude import binary
from hldctl.claude.settings import ClaudeSettings
from hldctl.claude.transcripts import conversations, transcript
from hldctl.claude.transcripts.transcript import Transcript
from hldctl.config import load
from hldctl.errors import BadUsage, NoSuchSession, UnfitEnvironment, WrongState
from hldctl.paths import StateDirectory, is_session_id
from hldctl.private_files import user_label
from hldctl.protocol.launch_request import LaunchRequest
from hldctl.sessions import policies, recording
from hldctl.sessions.launch import new_request
from hldctl.sessions.lookup import MIN_PREFIX_LENGTH
from hldctl.sessions.options import SessionOptions, add_defaults, validate_query
from hldctl.states import Source
from hldctl.store import sessions
from hldctl.store.database import open_database
from hldctl.system.clock import current_time_ms


@dataclass(frozen=True)
class ImportResult:
    """An imported conversation."""

    session_id: str
    skipped_lines: int
    """Lines of the transcript that could not be read."""
    is_resumable: bool
    """False if Claude Code does not find the transcript, so that the session cannot be continued."""


def import_conversation(state: StateDirectory, reference: str, umask: int, *, attended: bool) -> ImportResult:
    """Record the conversation with this id, unique prefix of an id, or transcript file.

    Raise BadUsage if the file is not a transcript, NoSuchSession for an unknown id, WrongState if hldctl has the
    conversation already or if it is open, and UnfitEnvironment for a file that cannot be read or is another user's.
    """
    state.prepare()
    directory = conversations.configuration_directory(os.environ, str(Path.cwd()))
    path = _find_transcript(directory, reference)
    said = _read(path)
    with open_database(state):
        _require_unknown(state, said.conversation_id)
        if (process := conversations.find_open(directory, said.conversation_id)) is not None:
            raise WrongState(
                f"Conversation {said.conversation_id} is open in Claude Code (pid {process.pid}); leave it there first."
            )
    is_resumable = _is_resumable(said)
    request = _request(said, path, umask, attended=attended)
    recording.record(state, request, Source.IMPORTED, said)
    return ImportResult(request.session_id, said.skipped, is_resumable)


def _request(said: Transcript, path: Path, umask: int, *, attended: bool) -> LaunchRequest:
    """Return the request of a session that a continuation inherits from as if it had been launched here."""
    configuration = load.load()
    configured = load.configured_options(configuration)
    settings = ClaudeSettings(working_dir=said.working_dir or str(path.parent.absolute()))
    request = new_request(validate_query(said.query), _claude_path(), umask, settings, title=said.title)
    return replace(
        request,
        # One conversation, one session: two commands cannot import it twice.
        session_id=said.conversation_id if is_session_id(said.conversation_id) else request.session_id,
        permissions=policies.new_permissions(SessionOptions(), configured, attended=attended, now=current_time_ms()),
        run_policy=policies.new_run_policy(add_defaults(SessionOptions(), configured), configuration),
    )


def _find_transcript(directory: Path, reference: str) -> Path:
    if os.sep in reference or os.path.isfile(reference):
        return Path(reference).expanduser()
    if len(reference) < MIN_PREFIX_LENGTH:
        raise NoSuchSession(
            f"No conversation {reference!r}; a prefix of an id must have at least {MIN_PREFIX_LENGTH} characters."
        )
    found = conversations.find_transcripts(directory, reference.lower())
    if not found:
        raise NoSuchSession(
            f"No conversation {reference!r} in {directory / 'projects'}; give the transcript's file, or set "
            "CLAUDE_CONFIG_DIR to Claude Code's directory."
        )
    if len({path.stem for path in found}) > 1:
        ids = " and ".join(path.stem for path in found[:2])
        raise NoSuchSession(f"{reference!r} is ambiguous: it matches {ids}, and maybe more; type more of the id.")
    return found[0]


def _read(path: Path) -> Transcript:
    try:
        status = os.stat(path)
        if status.st_uid != os.geteuid():
            owner = user_label(status.st_uid)
            raise UnfitEnvironment(f"{path} belongs to {owner}; import it as {owner}, or import a copy of your own.")
        if not stat.S_ISREG(status.st_mode):
            raise BadUsage(f"{path} is not a file; give the transcript of one conversation.")
        said = transcript.read(path)
    except OSError as error:
        raise UnfitEnvironment(f"{path} cannot be read: {error.strerror or error}.") from None
    if said is None:
        raise BadUsage(f"{path} is not a transcript of Claude Code, or nothing was said in it.")
    return said


def _require_unknown(state: StateDirectory, conversation_id: str) -> None:
    """Raise WrongState if hldctl has the conversation, unless an earlier import of it was killed."""
    known_id = sessions.id_with_conversation(conversation_id)
    if known_id is None:
        return
    session = sessions.get(known_id)
    is_import = session is not None and session.source == Source.IMPORTED
    if not is_import or recording.is_complete(state, known_id):
        raise WrongState(f"hldctl has this conversation already: it is session {known_id}.")


def _is_resumable(said: Transcript) -> bool:
    working_dir = said.working_dir or "/"
    return (
        os.path.isdir(working_dir)
        and conversations.find_transcript(said.conversation_id, os.environ, working_dir) is not None
    )


def _claude_path() -> str:
    try:
        return str(binary.find_binary())
    except UnfitEnvironment:
        # A conversation can be read without Claude Code.
        return "claude"
