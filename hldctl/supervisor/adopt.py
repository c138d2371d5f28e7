"""Taking over a session whose supervisor has died."""

from __future__ import annotations

import os
from pathlib import Path

from hldctl.host.paths import PRIVATE_FILE, SessionFiles
from hldctl.host.processes import ProcessIdentity, identify
from hldctl.store import sessions
from hldctl.store.models import Session
from hldctl.supervisor.claude_process import AdoptedProcess
from hldctl.supervisor.stop import marked_processes

_NO_PROCESS = ProcessIdentity(0, "", 0)


def adopt(session: Session, files: SessionFiles) -> AdoptedProcess:
    """The session's Claude Code, which may have ended; this process is recorded as its supervisor."""
    for path in (files.journal, files.errors, files.wake, files.changed):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, PRIVATE_FILE))
    identity = _recorded(session) or _unrecorded(session, files.prompt) or _NO_PROCESS
    if session.pid is None and identity != _NO_PROCESS:
        sessions.started(session.id, pid=identity.pid, pid_started=identity.started, boot_id=identity.boot_id)
    sessions.supervised_by(session.id, os.getpid())
    return AdoptedProcess(identity)


def _recorded(session: Session) -> ProcessIdentity | None:
    if session.pid is None or session.pid_started is None:
        return None
    return ProcessIdentity(session.pid, session.boot_id or "", session.pid_started)


def _unrecorded(session: Session, prompt: Path) -> ProcessIdentity | None:
    """The Claude Code of a supervisor that died between starting it and saying so: it reads the session's prompt."""
    for pid in marked_processes(session.id):
        try:
            if Path(f"/proc/{pid}/fd/0").resolve() == prompt.resolve():
                return identify(pid)
        except OSError:
            continue
    return None
