"""Taking over a session whose supervisor has died."""

from __future__ import annotations

import os
import time

from hldctl.host.clock import now
from hldctl.host.paths import PRIVATE_FILE, SessionFiles
from hldctl.host.processes import ProcessIdentity, identify
from hldctl.store import sessions
from hldctl.store.models import Session
from hldctl.supervisor.claude_process import AdoptedProcess
from hldctl.supervisor.stop import find_claude

_FORKED_SECONDS = 0.2
_NO_PROCESS = ProcessIdentity(0, "", 0)


def adopt(session: Session, files: SessionFiles) -> AdoptedProcess:
    """The session's Claude Code, which may have ended; this process is recorded as its supervisor."""
    for path in (files.journal, files.errors, files.wake, files.changed):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, PRIVATE_FILE))
    identity = _recorded(session) or _unrecorded(session) or _NO_PROCESS
    if session.pid is None and identity != _NO_PROCESS:
        sessions.started(session.id, identity, now())
    sessions.supervised_by(session.id, os.getpid())
    return AdoptedProcess(identity)


def _recorded(session: Session) -> ProcessIdentity | None:
    if session.pid is None or session.pid_started is None:
        return None
    return ProcessIdentity(session.pid, session.boot_id or "", session.pid_started)


def _unrecorded(session: Session) -> ProcessIdentity | None:
    """The Claude Code of a supervisor that died between starting it and saying so."""
    # A child that the dying supervisor had just forked is not to be told from it for an instant.
    time.sleep(_FORKED_SECONDS)
    pid = find_claude(session.id, session.claude_path)
    return None if pid is None else identify(pid)
