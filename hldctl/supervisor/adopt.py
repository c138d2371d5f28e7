"""Taking over a session whose supervisor has died."""

from __future__ import annotations

import os
import time

from hldctl.errors import UnfitEnvironment
from hldctl.paths import SessionFiles, make
from hldctl.protocol.restart import load_restarts
from hldctl.store import sessions
from hldctl.store.session import Session
from hldctl.supervisor.claude_process import AdoptedProcess
from hldctl.supervisor.termination import find_claude
from hldctl.system.clock import now
from hldctl.system.processes import UNKNOWN_START, ProcessIdentity, identify, recorded

_FORKED_SECONDS = 0.2
_NO_PROCESS = ProcessIdentity(0, "", 0)


def require_sight_of_processes() -> None:
    """Raise UnfitEnvironment where no process can be told from another, as without /proc on Linux.

    An adopter would take each Claude Code for ended, and what it started for strays.
    """
    if identify(os.getpid()) is None:
        raise UnfitEnvironment("Processes cannot be looked at here: mount /proc, or open it, and try again.")


def adopt(session: Session, files: SessionFiles) -> AdoptedProcess | None:
    """The session's Claude Code, which may have ended, or None if it has still to be started; this process is recorded
    as its supervisor.
    """
    for path in (files.journal, files.errors, files.wake_signal, files.wake_answer, files.change_signal):
        make(path)
    identity = _recorded(session) or _unrecorded(session) or _NO_PROCESS
    if session.pid_started in (None, UNKNOWN_START) and identity != _NO_PROCESS:
        sessions.started(session.id, identity, now())
    sessions.supervised_by(session.id, os.getpid())
    if identity == _NO_PROCESS and _is_to_be_started(session, files):
        return None
    return AdoptedProcess(identity)


def _is_to_be_started(session: Session, files: SessionFiles) -> bool:
    """Whoever launched one that has not waited was told that it failed; all others are still owed their Claude Code."""
    is_owed = session.was_queued or session.restarts
    return bool(is_owed) and files.request.exists() and _has_said_nothing(session, files)


def _has_said_nothing(session: Session, files: SessionFiles) -> bool:
    """The Claude Code that was to be started last: then there has been none, or none that has done anything."""
    restarts = load_restarts(session)
    before = restarts[-1].offset if restarts else 0
    with open(files.journal, "rb") as journal:
        journal.seek(before)
        return not journal.read(2).strip()


def _recorded(session: Session) -> ProcessIdentity | None:
    if session.pid is None or session.pid_started in (None, UNKNOWN_START):
        return None
    return recorded(session.pid, session.boot_id, session.pid_started)


def _unrecorded(session: Session) -> ProcessIdentity | None:
    """The Claude Code of a supervisor that died between starting it and saying so, or could not see when it began."""
    # A child that the dying supervisor had just forked is not to be told from it for an instant.
    time.sleep(_FORKED_SECONDS)
    pid = find_claude(session.id, session.claude_path)
    return None if pid is None else identify(pid)
