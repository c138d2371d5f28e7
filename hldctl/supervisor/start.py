"""Starting a session: its files, its row, its Claude Code, in this order.

Each step is safe to die after: a row without a process is closed by whoever adopts the session.
"""

from __future__ import annotations

import os
import shutil

from hldctl.claude import arguments, environment
from hldctl.errors import UnfitEnvironment
from hldctl.host import lock
from hldctl.host.clock import now
from hldctl.host.paths import PRIVATE_DIRECTORY, PRIVATE_FILE, SessionFiles, StateDirectory, touch, unusable
from hldctl.states import EndReason, Status
from hldctl.store import sessions
from hldctl.supervisor import row
from hldctl.supervisor.claude_process import SpawnedProcess, spawn
from hldctl.supervisor.request import LaunchRequest, write_inputs
from hldctl.supervisor.trouble import log_trouble


def prepare_files(request: LaunchRequest, row_to_be: row.Row, state: StateDirectory) -> SessionFiles:
    """The session's directory with its lock held and its inputs written; nothing is left of it if that fails."""
    files = state.session(request.session_id)
    try:
        state.sessions.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        files.directory.mkdir(mode=PRIVATE_DIRECTORY)
        if lock.acquire(files.lock, timeout=1) is None:
            raise UnfitEnvironment(f"{files.lock} cannot be locked; is {state.root} on a file system without locks?")
        for path in (files.journal, files.errors, files.wake, files.changed, files.arrivals, files.log):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, PRIVATE_FILE))
        write_inputs(request, files, state)
        row.keep(row_to_be, files)
    except OSError as error:
        discard(files)
        raise unusable(state.root, error) from error
    return files


def discard(files: SessionFiles) -> None:
    shutil.rmtree(files.directory, ignore_errors=True)


def start_claude(request: LaunchRequest, state: StateDirectory, files: SessionFiles) -> SpawnedProcess:
    """Runs Claude Code and records that it runs; a failure ends the session and raises UnfitEnvironment."""
    try:
        process = spawn(
            arguments.command(
                request.claude_path,
                request.settings,
                files,
                session_id=request.session_id,
                resume=request.resume,
                hooked=request.is_hooked,
            ),
            files,
            working_dir=request.settings.working_dir,
            environment=environment.for_session(
                os.environ,
                request.settings.environment,
                session_id=request.session_id,
                run_id=request.run_id,
                state_directory=state.root,
            ),
            umask=request.umask,
        )
    except OSError as error:
        message = (
            f"{error.filename or request.claude_path} cannot be used to run Claude Code: {error.strerror or error}."
        )
        sessions.end(request.session_id, sessions.Ending(Status.FAILED, EndReason.SPAWN_FAILED, message), now())
        touch(files.changed)
        raise UnfitEnvironment(f"{message} The session is recorded as {request.session_id}.") from error
    try:
        sessions.started(request.session_id, process.identity, now())
    except Exception:
        # It runs, and that is what counts: who is told otherwise launches it twice. The supervision records it later.
        log_trouble()
    touch(files.changed)
    return process
