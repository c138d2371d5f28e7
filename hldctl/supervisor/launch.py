"""Starting a session: its files, its row, its Claude Code, in this order.

Each step is safe to die after: a row without a process is closed by whoever adopts the session.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from hldctl.claude import command_line, environment
from hldctl.claude.settings import ClaudeSettings
from hldctl.errors import UnfitEnvironment
from hldctl.ingest import session_record
from hldctl.paths import PRIVATE_DIRECTORY, SessionFiles, StateDirectory, make, touch, unusable, write_private
from hldctl.protocol.launch_request import LaunchRequest
from hldctl.states import EndReason, Status
from hldctl.store import sessions
from hldctl.store.sessions import Ending
from hldctl.supervisor.claude_process import SpawnedProcess, spawn
from hldctl.supervisor.input_files import save_request, write_inputs
from hldctl.supervisor.record_outcome import conclude
from hldctl.system import file_lock
from hldctl.system.clock import now
from hldctl.system.error_log import log_trouble

_CONTINUE = b"Continue from where you left off."


def prepare_files(
    request: LaunchRequest, row_to_be: session_record.Row, state: StateDirectory, *, may_wait: bool
) -> SessionFiles:
    """The session's directory with its lock held and its inputs written; nothing is left of it if that fails.

    `may_wait` says whether Claude Code may have to be started later, maybe by another supervisor.
    """
    files = state.session(request.session_id)
    try:
        state.sessions.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        files.directory.mkdir(mode=PRIVATE_DIRECTORY)
        if file_lock.acquire_quickly(files.lock, timeout=1) is None:
            raise UnfitEnvironment(f"{files.lock} cannot be locked; is {state.root} on a file system without locks?")
        for path in (
            files.journal,
            files.errors,
            files.wake_signal,
            files.wake_answer,
            files.change_signal,
            files.arrival_times,
            files.log,
        ):
            make(path)
        write_inputs(request, files, state)
        if may_wait or request.is_needed_later:
            save_request(request, files)
        session_record.keep(row_to_be, files)
    except OSError as error:
        discard(files)
        raise unusable(state.root, error) from error
    return files


def discard(files: SessionFiles) -> None:
    # Only here: few supervisors need it, and each would pay 3 ms.
    import shutil

    shutil.rmtree(files.directory, ignore_errors=True)


def start_claude(
    request: LaunchRequest, state: StateDirectory, files: SessionFiles, begun: str | None = None
) -> SpawnedProcess:
    """Runs Claude Code and records that it runs; a failure ends the session and raises UnfitEnvironment.

    `begun` is the session's own conversation if it is started again.
    """
    settings = request.settings
    variables = environment.for_session(
        request.environment,
        request.settings.environment,
        session_id=request.session_id,
        run_id=request.run_id,
        state_directory=state.root,
    )
    if begun is not None and not command_line.has_transcript(begun, variables, settings.working_dir):
        begun = None
    if begun is not None:
        settings = replace(settings, extra_arguments=command_line.without_conversation(settings.extra_arguments))
    prompt = files.prompt if begun is None else _continuing_prompt(files)
    # What was quiet so far was no session of Claude Code's: idleness counts from here.
    touch(files.journal)
    try:
        process = spawn(
            _command(request, settings, files, begun),
            files,
            prompt=prompt,
            working_dir=request.settings.working_dir,
            environment=variables,
            umask=request.umask,
        )
    except OSError as error:
        message = (
            f"{error.filename or request.claude_path} cannot be used to run Claude Code: {error.strerror or error}."
        )
        failed = sessions.get(request.session_id)
        assert failed is not None, "the session was deleted before it began"
        conclude(state, failed, Ending(Status.FAILED, EndReason.SPAWN_FAILED, message))
        raise UnfitEnvironment(f"{message} The session is recorded as {request.session_id}.") from error
    try:
        sessions.started(request.session_id, process.identity, now())
    except Exception:
        # It runs, and that is what counts: who is told otherwise launches it twice. The supervision records it later.
        log_trouble()
    touch(files.change_signal)
    return process


def _command(request: LaunchRequest, settings: ClaudeSettings, files: SessionFiles, begun: str | None) -> list[str]:
    is_rehearsed = request.rehearsal is not None
    command = command_line.command(
        request.claude_path,
        settings,
        files,
        conversation=_conversation(request, begun),
        hooked=request.is_hooked,
        rehearsed=is_rehearsed,
    )
    return [*_rehearsal(files), *command] if is_rehearsed else command


def _rehearsal(files: SessionFiles) -> list[str]:
    """What plays the script while the command behind it runs. It lives as long as that, whatever becomes of us."""
    program = [sys.executable, "-P", "-m", "hldctl.rehearsal", str(files.rehearsal)]
    return [*program, "--settings", str(files.settings_for_rehearsal), "--memory", str(files.rehearsal_state), "--"]


def _conversation(request: LaunchRequest, begun: str | None) -> list[str]:
    if begun is not None:
        return command_line.same_conversation(begun)
    if request.resume is not None:
        return command_line.forked_conversation(request.resume, request.session_id)
    return command_line.new_conversation(request.session_id, request.settings)


def _continuing_prompt(files: SessionFiles) -> Path:
    write_private(files.restart_prompt, _CONTINUE)
    return files.restart_prompt
