"""Starting a session: its files, its row, its Claude Code, in this order.

Each step is safe to die after: a row without a process is closed by whoever adopts the session.
"""

from __future__ import annotations

import os
import shutil
import traceback
from dataclasses import asdict
from typing import Any

import peewee

from hldctl.claude import arguments, environment, mcp
from hldctl.errors import UnfitEnvironment
from hldctl.host import lock
from hldctl.host.clock import now
from hldctl.host.paths import PRIVATE_DIRECTORY, PRIVATE_FILE, SessionFiles, StateDirectory, touch, unusable
from hldctl.states import EndReason, EventType, Status
from hldctl.store import sessions
from hldctl.supervisor.claude_process import SpawnedProcess, spawn
from hldctl.supervisor.fold import FoldState
from hldctl.supervisor.request import LaunchRequest, write_inputs

_NOT_STORED = ("mcp_config", "claude_settings", "environment")
"""Settings with secrets in them: they are in private files, never in the database."""


def prepare_files(request: LaunchRequest, state: StateDirectory) -> SessionFiles:
    """The session's directory with its lock held and its inputs written; nothing is left of it if that fails."""
    files = state.session(request.session_id)
    try:
        files.directory.parent.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        files.directory.mkdir(mode=PRIVATE_DIRECTORY)
        if lock.acquire(files.lock, timeout=1) is None:
            raise UnfitEnvironment(f"{files.lock} cannot be locked; is {state.root} on a file system without locks?")
        for path in (files.journal, files.errors, files.wake, files.changed):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, PRIVATE_FILE))
        write_inputs(request, files, state)
    except OSError as error:
        discard(files)
        raise unusable(state.root, error) from error
    return files


def discard(files: SessionFiles) -> None:
    shutil.rmtree(files.directory, ignore_errors=True)


def create_row(request: LaunchRequest) -> None:
    """The one place where a session's row is made, whichever way the session came in."""
    moment = now()
    settings = {name: value for name, value in asdict(request.settings).items() if name not in _NOT_STORED}
    model = settings.pop("model")
    sessions.create(
        {
            **settings,
            "id": request.session_id,
            "run_id": request.run_id,
            "parent_session_id": request.parent_session_id,
            "status": str(Status.STARTING),
            "query": request.query,
            "summary": request.summary,
            "title": request.title,
            "requested_model": model,
            "model": model,
            "auto_accept_edits": request.auto_accept_edits,
            "dangerously_skip_permissions": request.dangerously_skip_permissions,
            "dangerously_skip_permissions_expires_at": request.dangerously_skip_permissions_expires_at,
            "archived": False,
            "created_at": moment,
            "last_activity_at": moment,
            "permission_denials": [],
            "host": os.uname().nodename,
            "claude_path": request.claude_path,
            "supervisor_pid": os.getpid(),
            "journal_offset": 0,
            "fold_state": FoldState().as_json(),
        },
        query_event(request.session_id, request.query, moment),
        [asdict(server) for server in mcp.servers(request.settings.mcp_config)],
    )


def query_event(session_id: str, query: str, created_at: int) -> dict[str, Any]:
    """The first event of each conversation, which Claude Code does not repeat in its stream."""
    return {
        "session_id": session_id,
        "sequence": 1,
        "event_type": str(EventType.MESSAGE),
        "role": "user",
        "content": query,
        "is_error": False,
        "is_completed": False,
        "created_at": created_at,
    }


def start_claude(request: LaunchRequest, state: StateDirectory, files: SessionFiles) -> SpawnedProcess:
    """Runs Claude Code and records that it runs; a failure ends the session and raises UnfitEnvironment."""
    try:
        process = spawn(
            arguments.command(
                request.claude_path, request.settings, files, session_id=request.session_id, resume=request.resume
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
    except peewee.DatabaseError:
        # It runs, and that is what counts: who is told otherwise launches it twice. The supervision records it later.
        traceback.print_exc()
    touch(files.changed)
    return process
