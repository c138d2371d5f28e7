"""The start of a session: its files, its row, its Claude Code, in this order.

The supervisor may die after any step: a row without a process is closed by the supervisor that adopts the session.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from hldctl.claude import command_line, environment, input_messages
from hldctl.claude.settings import ClaudeSettings
from hldctl.errors import UnfitEnvironment
from hldctl.ingest import session_record
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.private_files import PRIVATE_DIRECTORY, ensure_exists, touch, unusable_path_error
from hldctl.protocol.launch_request import LaunchRequest
from hldctl.protocol.restart import load_restarts
from hldctl.states import EndReason, RestartKind, Status
from hldctl.store import messages, sessions
from hldctl.store.connection import transaction
from hldctl.store.sessions import Ending
from hldctl.supervisor import input_pipe
from hldctl.supervisor.claude_process import SpawnedProcess, spawn
from hldctl.supervisor.input_files import save_request, write_inputs
from hldctl.supervisor.input_pipe import InputPipe
from hldctl.supervisor.queue import dependencies
from hldctl.supervisor.record_outcome import conclude
from hldctl.system import file_lock
from hldctl.system.clock import current_time_ms
from hldctl.system.error_log import log_exception
from hldctl.worktrees.git import without_repository

# Claude Code refuses a budget of zero.
_MIN_BUDGET_USD = 0.0001


class SessionExists(Exception):
    """A session with the id of the request was launched before."""


def prepare_files(
    request: LaunchRequest, row: session_record.Row, state: StateDirectory, *, may_wait: bool
) -> SessionFiles:
    """Create the session's directory, lock it, and write its inputs; remove it again if that fails.

    `may_wait` is true if Claude Code may have to be started later, possibly by another supervisor. Raise SessionExists
    if another supervisor has created them, and UnfitEnvironment if they cannot be created.
    """
    files = state.session(request.session_id)
    try:
        state.sessions.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        files.directory.mkdir(mode=PRIVATE_DIRECTORY)
    except FileExistsError:
        raise SessionExists from None
    except OSError as error:
        raise unusable_path_error(state.root, error) from error
    try:
        if file_lock.acquire_quickly(files.lock, timeout=1) is None:
            raise UnfitEnvironment(f"Cannot lock {files.lock}; does the file system of {state.root} support locks?")
        for path in (
            files.journal,
            files.errors,
            files.wake_signal,
            files.wake_answer,
            files.change_signal,
            files.arrival_times,
            files.log,
        ):
            ensure_exists(path)
        # For the guard, which starts before Claude Code if the session has to wait.
        input_pipe.create(files)
        write_inputs(request, files, state)
        if may_wait or request.is_needed_later:
            save_request(request, files)
        session_record.save(row, files)
    except OSError as error:
        discard(files)
        raise unusable_path_error(state.root, error) from error
    return files


def discard(files: SessionFiles) -> None:
    """Delete the session's directory."""
    # Imported here: few supervisors need it, and each would pay 3 ms.
    import shutil

    shutil.rmtree(files.directory, ignore_errors=True)


def start_claude(
    request: LaunchRequest, state: StateDirectory, files: SessionFiles, conversation_id: str | None = None
) -> SpawnedProcess:
    """Start Claude Code and record its process. On failure, end the session and raise UnfitEnvironment.

    `conversation_id` is the session's own conversation if Claude Code is restarted, else None.
    """
    request = _complete(request, state, files)
    settings = request.settings
    if request.launchers and (recorded := sessions.get(request.session_id)) is not None:
        # Admission lowers the limit; a supervisor that was killed may not have saved that with the request.
        settings = replace(settings, max_budget_usd=recorded.max_budget_usd)
    claude_environment = environment.session_environment(
        # A git hook's variables would make git in the worktree use another repository.
        request.environment if request.worktree is None else without_repository(request.environment),
        request.settings.environment,
        session_id=request.session_id,
        run_id=request.run_id,
        state_directory=state.root,
    )
    if conversation_id is not None:
        # Imported here: few supervisors restart Claude Code.
        from hldctl.claude.transcripts.conversations import find_transcript

        transcript = find_transcript(conversation_id, claude_environment, settings.working_dir)
        _requeue_lost_messages(request.session_id, transcript, files)
        conversation_id = None if transcript is None else conversation_id
    if conversation_id is not None:
        settings = replace(settings, extra_arguments=command_line.remove_conversation_options(settings.extra_arguments))
        settings = _remaining_budget(settings, request.session_id)
    pipe = InputPipe(files)
    pipe.discard()
    # Idle time counts from here, not from the launch: Claude Code did not run before.
    touch(files.journal)
    try:
        pipe.write(_first_line(request, conversation_id))
        process = spawn(
            _claude_command(request, settings, files, conversation_id),
            files,
            working_dir=request.settings.working_dir,
            environment=claude_environment,
            umask=request.umask,
        )
    except OSError as error:
        pipe.close()
        message = f"Cannot run Claude Code: {error.filename or request.claude_path}: {error.strerror or error}."
        session = sessions.get(request.session_id)
        assert session is not None, "the session was deleted before it began"
        conclude(state, session, Ending(Status.FAILED, EndReason.SPAWN_FAILED, message))
        raise UnfitEnvironment(f"{message} The session is recorded as {request.session_id}.") from error
    process.input = pipe
    try:
        sessions.mark_started(request.session_id, process.identity, current_time_ms())
    except Exception:
        # Claude Code runs. A reported failure would lead to a second launch; the process is recorded again later.
        log_exception()
    touch(files.change_signal)
    return process


def _complete(request: LaunchRequest, state: StateDirectory, files: SessionFiles) -> LaunchRequest:
    """Return the request with what its predecessors hand over; without that, end the session."""
    try:
        return dependencies.complete_request(request, state, files)
    except dependencies.CannotStart as error:
        session = sessions.get(request.session_id)
        assert session is not None, "the session was deleted before it began"
        conclude(state, session, error.ending)
        raise UnfitEnvironment(f"{error} The session is recorded as {request.session_id}.") from error


def _requeue_lost_messages(session_id: str, transcript: Path | None, files: SessionFiles) -> None:
    """Make the messages pending that the killed Claude Code has reported to have, and that its transcript lacks."""
    unanswered = {message.id: message for message in messages.list_unanswered(session_id)}
    if unanswered:
        from hldctl.claude.transcripts.delivered_messages import contained_messages

        texts = {message.id: message.text for message in unanswered.values()}
        contained = set() if transcript is None else contained_messages(transcript, texts)
        # Killed before it repeated them, Claude Code has not reported where they are in the conversation.
        found = [unanswered[name] for name in contained if unanswered[name].sequence is None]
        with transaction():
            messages.settle_unanswered(session_id, {name: name in contained for name in unanswered}, current_time_ms())
            sessions.add_found_messages(session_id, [{"id": each.id, "text": each.text} for each in found])
        if found:
            session_record.save_current(session_id, files)


def _claude_command(
    request: LaunchRequest, settings: ClaudeSettings, files: SessionFiles, conversation_id: str | None
) -> list[str]:
    is_rehearsal = request.rehearsal is not None
    command = command_line.build_command(
        request.claude_path,
        settings,
        files,
        conversation=_conversation_arguments(request, conversation_id),
        hooked=request.has_hook,
        asks=request.has_hook and request.permissions.approvals,
        rehearsed=is_rehearsal,
    )
    return [*rehearsal_command(files, files.settings_for_rehearsal), *command] if is_rehearsal else command


def rehearsal_command(files: SessionFiles, settings: Path) -> list[str]:
    """Return the program that plays the script while the command after it runs, even if this supervisor dies.

    It changes the file of settings so that Claude Code uses the script.
    """
    program = [sys.executable, "-P", "-m", "hldctl.rehearsal", str(files.rehearsal)]
    return [*program, "--settings", str(settings), "--memory", str(files.rehearsal_state), "--"]


def _conversation_arguments(request: LaunchRequest, conversation_id: str | None) -> list[str]:
    if conversation_id is not None:
        return command_line.resume_arguments(conversation_id)
    if request.resume is not None:
        return command_line.fork_arguments(request.resume, request.session_id)
    return command_line.new_conversation_arguments(request.session_id, request.settings)


def _first_line(request: LaunchRequest, conversation_id: str | None) -> bytes:
    """Return what Claude Code reads first. It is in the pipe before the start, and so does not need a supervisor."""
    session_id = request.session_id
    if conversation_id is not None:
        return _first_line_of_restart(session_id)
    try:
        messages.mark_sent(session_id)
    except Exception:
        # Written again then, which Claude Code ignores.
        log_exception()
    return input_messages.message_line(session_id, request.query)


def _first_line_of_restart(session_id: str) -> bytes:
    session = sessions.get(session_id)
    restarts = [] if session is None else load_restarts(session)
    if session is not None and restarts and restarts[-1].kind in (RestartKind.CHECK, RestartKind.MESSAGE):
        # Imported here: few sessions have a check.
        from hldctl.protocol.check import load_record, output_message_id

        output_id = output_message_id(session_id, len(load_record(session).tries))
        if (message := messages.next_message(session_id, output_id)) is not None:
            messages.mark_sent(message.id)
            return input_messages.message_line(message.id, message.text)
    return input_messages.restart_line(session_id, len(restarts))


def _remaining_budget(settings: ClaudeSettings, session_id: str) -> ClaudeSettings:
    """Return the settings with what is left of the budget: Claude Code counts only what the new process spends."""
    session = sessions.get(session_id)
    if settings.max_budget_usd is None or session is None or session.cost_usd is None:
        return settings
    return replace(settings, max_budget_usd=max(_MIN_BUDGET_USD, settings.max_budget_usd - session.cost_usd))
