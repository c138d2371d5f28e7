"""Starting supervisors, for new sessions and for those that have lost theirs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hldctl.errors import UnfitEnvironment, error_for
from hldctl.host import lock
from hldctl.host.paths import StateDirectory
from hldctl.store import sessions
from hldctl.supervisor.report import Report

if TYPE_CHECKING:
    from hldctl.supervisor.request import LaunchRequest


def launch(state: StateDirectory, request: LaunchRequest) -> None:
    """Returns once Claude Code runs; raises what the supervisor reports if it cannot."""
    process = _spawn(state, "launch", request.session_id)
    assert process.stdin is not None
    try:
        process.stdin.write(request.to_bytes())
        process.stdin.close()
    except BrokenPipeError:
        pass
    _report(state, process, request.session_id)


def adopt_lost(state: StateDirectory, ids: Iterable[str]) -> bool:
    """Starts a supervisor for each of these that has not ended and has lost its own; true if there was one.

    Waits until each has caught up with its journal, so that what is read afterwards is current.
    """
    orphans = [session_id for session_id in ids if lock.is_free(state.session(session_id).lock)]
    if not orphans:
        return False
    # A session of another host has its lock there, if anywhere.
    lost = [
        session_id
        for session_id in sessions.not_ended_on(os.uname().nodename, orphans)
        if _has_files(state, session_id)
    ]
    for session_id, process in [(session_id, _spawn(state, "adopt", session_id)) for session_id in lost]:
        if process.stdin is not None:
            process.stdin.close()
        _report(state, process, session_id)
    return bool(lost)


def adopt_all_lost(state: StateDirectory) -> None:
    """For commands that show many sessions: looks at those that have not ended, by an index of only these."""
    adopt_lost(state, sessions.alive())


def _has_files(state: StateDirectory, session_id: str) -> bool:
    return state.session(session_id).directory.is_dir()


def _spawn(state: StateDirectory, mode: str, session_id: str) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            # -P: the working directory may hold a module of any name.
            [sys.executable, "-P", "-m", "hldctl.supervisor", mode, session_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # A mark that is no session's: neither an enclosing session nor its own takes it for a stray.
            env={**os.environ, "HLDCTL_HOME": str(state.root), "HLDCTL_SESSION_ID": "supervisor"},
            start_new_session=True,
            close_fds=True,
        )
    except OSError as error:
        raise UnfitEnvironment(f"No supervisor can be started: {error.strerror or error}.") from error


def _report(state: StateDirectory, process: subprocess.Popen[bytes], session_id: str) -> None:
    assert process.stdout is not None
    with process.stdout as pipe:
        line = pipe.readline()
    if not line:
        raise UnfitEnvironment(
            f"The supervisor of {session_id} ended before it could report; see {state.session(session_id).log}."
        )
    report = Report.from_bytes(line)
    if report.error is not None:
        raise error_for(report.exit_code, report.error)
