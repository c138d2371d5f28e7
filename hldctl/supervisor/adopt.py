"""Adoption of a session whose supervisor has died."""

from __future__ import annotations

import os
import time

from hldctl.errors import UnfitEnvironment
from hldctl.paths import SessionFiles
from hldctl.private_files import ensure_exists
from hldctl.protocol.restart import load_restarts
from hldctl.states import Status
from hldctl.store import sessions
from hldctl.store.session import Session
from hldctl.supervisor.claude_process import AdoptedProcess
from hldctl.supervisor.termination import find_claude
from hldctl.system.clock import current_time_ms
from hldctl.system.processes import UNKNOWN_START, ProcessIdentity, identify, recorded_identity

_FORK_SECONDS = 0.2
_NO_PROCESS = ProcessIdentity(0, "", 0)


def require_sight_of_processes() -> None:
    """Raise UnfitEnvironment if processes cannot be identified, e.g. without /proc on Linux.

    An adopter would assume that every Claude Code has ended, and treat its descendants as leftover processes.
    """
    if identify(os.getpid()) is None:
        raise UnfitEnvironment("Cannot read process information: mount /proc, or make it readable, and try again.")


def adopt(session: Session, files: SessionFiles) -> AdoptedProcess | None:
    """Record this process as the session's supervisor, and return the session's Claude Code, which may have ended.

    Return None if Claude Code has yet to be started.
    """
    for path in (files.journal, files.errors, files.wake_signal, files.wake_answer, files.change_signal):
        ensure_exists(path)
    if session.check_state is not None and session.check_state["began_at"] is not None:
        # Claude Code has exited, and its check runs: the processes with the session's marker are the check's.
        sessions.set_supervisor_pid(session.id, os.getpid())
        return AdoptedProcess(_recorded_process(session) or _NO_PROCESS)
    identity = _recorded_process(session) or _find_process(session) or _NO_PROCESS
    if session.pid_started in (None, UNKNOWN_START) and identity != _NO_PROCESS:
        sessions.mark_started(session.id, identity, current_time_ms())
    sessions.set_supervisor_pid(session.id, os.getpid())
    if identity == _NO_PROCESS and _should_start_claude(session, files):
        return None
    return AdoptedProcess(identity)


def _should_start_claude(session: Session, files: SessionFiles) -> bool:
    """Return whether Claude Code has yet to be started.

    Not for a first launch that never waited: the command that launched it has reported a failure.
    """
    is_expected = session.was_queued or session.restarts
    # A supervisor that was killed while it recorded why a queued session ends has deleted the request.
    is_possible = files.request.exists() or session.status == Status.QUEUED
    return bool(is_expected) and is_possible and _has_no_output(session, files)


def _has_no_output(session: Session, files: SessionFiles) -> bool:
    """Return whether the latest run wrote nothing: Claude Code was never started, or has not done anything."""
    restarts = load_restarts(session)
    offset = restarts[-1].offset if restarts else 0
    with open(files.journal, "rb") as journal:
        journal.seek(offset)
        return not journal.read(2).strip()


def _recorded_process(session: Session) -> ProcessIdentity | None:
    if session.pid is None or session.pid_started in (None, UNKNOWN_START):
        return None
    return recorded_identity(session.pid, session.boot_id, session.pid_started)


def _find_process(session: Session) -> ProcessIdentity | None:
    """Find the Claude Code of a supervisor that died before it recorded the process, or could not read its start."""
    # Right after a fork, the child still looks like the dying supervisor.
    time.sleep(_FORK_SECONDS)
    pid = find_claude(session.id, session.claude_path)
    return None if pid is None else identify(pid)
