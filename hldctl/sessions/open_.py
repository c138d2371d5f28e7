"""Handing a session to a person in the terminal: its turn ends, Claude Code is prepared, the words are recorded."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from hldctl.claude import binary, command_line, environment, input_messages
from hldctl.claude.transcripts import conversations
from hldctl.config import load
from hldctl.errors import TimedOut, UnfitEnvironment, WrongState
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.private_files import unusable_path_error, write_private
from hldctl.protocol.launch_request import LaunchRequest, needs_hook
from hldctl.sessions import close, inheritance, interrupt, lookup, opened, policies, supervisors, wait
from hldctl.sessions.launch import new_request
from hldctl.sessions.opened import OpenRecord
from hldctl.sessions.options import SessionOptions, working_directory
from hldctl.states import Status
from hldctl.store.database import open_database
from hldctl.store.session import Session
from hldctl.supervisor.launch import rehearsal_command
from hldctl.system import file_lock
from hldctl.system.clock import current_time_ms

_LOCK_SECONDS = 0.2


@dataclass(frozen=True)
class Handover:
    """The program for the terminal."""

    command: list[str]
    working_dir: str
    environment: dict[str, str]


@contextmanager
def reserve(state: StateDirectory, ref: str) -> Iterator[str]:
    """Keep all others from writing to the session's conversation in the block; yield the session's id.

    Raise WrongState if it is open already, or has no conversation.
    """
    with open_database(state):
        session_id = lookup.find_session(ref).id
        files = state.session(session_id)
        files.require_own()
        # What was said in a terminal that was killed is recorded first.
        supervisors.adopt_lost(state, [session_id])
        lock = file_lock.acquire(files.open_lock, _LOCK_SECONDS) if files.directory.is_dir() else None
    if lock is None:
        raise opened.in_use(files) if files.directory.is_dir() else _no_conversation(session_id)
    try:
        yield session_id
    finally:
        os.close(lock)


def await_end(
    state: StateDirectory,
    session_id: str,
    *,
    interrupt_turn: bool,
    timeout_seconds: float | None,
    on_look: Callable[[], None],
) -> None:
    """Wait for the end of the session's turn, or interrupt it; a session that is kept open is closed.

    Raise TimedOut, and leave the session as it is, if the turn takes longer.
    """
    session = wait.wait_for_conversation(state, session_id)
    if session.claude_session_id is None:
        raise _no_conversation(session_id)
    if interrupt_turn and session.status != Status.IDLE:
        interrupt.interrupt_sessions(state, [session_id])
        return
    reached = wait.wait_for_sessions(
        state, [session_id], until=Status.IDLE, timeout_seconds=timeout_seconds, on_look=on_look
    )
    if not reached:
        raise TimedOut(f"Session {session_id} is still working after --timeout; --now interrupts its turn.")
    if reached[0].completed_at is None:
        # It may have ended by itself in the meantime.
        with contextlib.suppress(WrongState):
            close.close_sessions(state, [session_id])


def _no_conversation(session_id: str) -> WrongState:
    return WrongState(f"Session {session_id} ended before Claude Code began a conversation; there is nothing to open.")


def prepare(state: StateDirectory, session_id: str, umask: int) -> Handover:
    """Write what Claude Code needs, and what to record after it; raise an error if the conversation is not usable."""
    with open_database(state):
        session = lookup.find_session(session_id)
    files = state.session(session_id)
    conversation_id = session.claude_session_id
    assert conversation_id is not None, "the session has no conversation"
    working_dir = working_directory(session.working_dir)
    # Before the lock was taken, somebody may have opened it without hldctl.
    directory = opened.claude_directory(state, session)
    if (process := conversations.find_open(directory, conversation_id)) is not None:
        raise WrongState(f"Session {session_id} is open in Claude Code (pid {process.pid}); leave it there first.")
    request = _record_request(state, session, umask)
    variables = _environment(state, session, request)
    if conversations.find_transcript(conversation_id, variables, working_dir) is None:
        raise UnfitEnvironment(
            f"The transcript of session {session_id} is not in {directory}; set HOME or CLAUDE_CONFIG_DIR as they were "
            "when it was launched."
        )
    handover = Handover(_command(request, files, conversation_id), working_dir, variables)
    record = OpenRecord(request, conversation_id, str(directory.absolute()), current_time_ms(), os.getpid())
    try:
        write_private(files.settings_for_open, json.dumps(_settings(state, session, request)).encode())
        files.open_conversations.unlink(missing_ok=True)
        record.save(files)
    except OSError as error:
        raise unusable_path_error(state.root, error) from error
    return handover


def _record_request(state: StateDirectory, session: Session, umask: int) -> LaunchRequest:
    """Return the request of the session that will record the words: a continuation, with the same settings."""
    settings = inheritance.claude_settings(state, session)
    request = new_request("", str(binary.find_binary()), umask, settings, title=session.title)
    return replace(
        request,
        session_id=str(uuid.uuid4()),
        parent_session_id=session.id,
        rehearsal=inheritance.read_text(state.session(session.id).rehearsal),
        permissions=policies.continued_permissions(SessionOptions(), session, current_time_ms()),
        run_policy=policies.continued_run_policy(SessionOptions(), session, load.load()),
        launched_within=session.launched_within,
    )


def _environment(state: StateDirectory, session: Session, request: LaunchRequest) -> dict[str, str]:
    """Return the terminal's environment with the variables given to the session."""
    variables = environment.session_environment(
        os.environ,
        request.settings.environment,
        session_id=session.id,
        run_id=session.run_id,
        state_directory=state.root,
    )
    return {name: value for name, value in variables.items() if name not in input_messages.VARIABLES}


def _settings(state: StateDirectory, session: Session, request: LaunchRequest) -> dict[str, object]:
    """Return the user's settings with the session's variables, which keep its tools from answering for the user."""
    marks = environment.session_variables(session_id=session.id, run_id=session.run_id, state_directory=state.root)
    settings = environment.add_session_variables(request.settings.claude_settings, marks)
    return conversations.add_reporter(settings, state.session(session.id).open_conversations)


def _command(request: LaunchRequest, files: SessionFiles, conversation_id: str) -> list[str]:
    command = command_line.build_interactive_command(
        request.claude_path,
        request.settings,
        files,
        conversation_id,
        asks=needs_hook(request.permissions, request.settings),
    )
    if request.rehearsal is None:
        return command
    return [*rehearsal_command(files, files.settings_for_open), *command]


def record(state: StateDirectory, session_id: str) -> list[str]:
    """Record what was said in the terminal, and return the ids of the sessions that have it; none for nothing."""
    with open_database(state):
        return opened.record_words(state, state.session(session_id))
