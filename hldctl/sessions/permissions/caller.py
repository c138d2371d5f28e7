"""Who runs a command: a person in a shell, or a session by its tools.

A session that answers its own permission requests has no need to ask. It runs as the same user, so that no wall is
possible; but without --from-session it is refused, and each answer is recorded with the process that gave it.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

from hldctl.errors import UnfitEnvironment, WrongState
from hldctl.paths import COMMAND_TOKEN, StateDirectory, user_name
from hldctl.store import command_tokens, sessions
from hldctl.store.connection import current
from hldctl.store.database import opened
from hldctl.system import file_lock
from hldctl.system.processes import ProcessIdentity, ancestors, is_running, is_this_machine

_MARK = "HLDCTL_SESSION_ID"


def require_right(state: StateDirectory, what: str) -> None:
    """Raises WrongState where the command is run from within a session that may not do this."""
    refuse(session_without_right(state), what)


def refuse(session_id: str | None, what: str) -> None:
    """Raise WrongState if there is such a session, from within which the command is run."""
    if session_id is not None:
        raise WrongState(
            f"{what} is not possible from within session {session_id[:8]}, which was launched without --from-session; "
            "do it from a shell outside of the session."
        )


def session_without_right(state: StateDirectory) -> str | None:
    """Return the session from within which this command is run; None outside of any, for one with --from-session, and
    for a command of the user's that hldctl runs.
    """
    with contextlib.ExitStack() as stack:
        try:
            if not state.database.exists():
                return os.environ.get(_MARK) or None
            stack.enter_context(opened(state))
        except (UnfitEnvironment, OSError):
            return os.environ.get(_MARK) or None
        if _own_command_of() is not None:
            return None
        within = _sessions_within(state)
        having = sessions.with_right_to_answer(within)
        return next((session_id for session_id in within if session_id not in having), None)


def origin(state: StateDirectory, command: str) -> dict[str, Any]:
    """Return where an answer comes from, for the record; `command` is the one of hldctl that gives it."""
    owner = _own_command_of()
    within = [] if owner is not None else _sessions_within(state)
    address = os.environ.get("SSH_CONNECTION", "").split()
    return {
        "uid": os.getuid(),
        "pid": os.getpid(),
        "tty": _terminal(),
        "host": os.uname().nodename,
        "command": command,
        "session_id": within[0] if within else None,
        "command_of": owner,
        "ssh_client": address[0] if address else None,
    }


def user() -> str:
    """Return the name of the user that this process runs as, whatever LOGNAME says."""
    return user_name(os.getuid()) or str(os.getuid())


def _own_command_of() -> str | None:
    """The session for which hldctl runs the user's command that this process belongs to."""
    token = os.environ.get(COMMAND_TOKEN)
    return command_tokens.session_of(current(), token) if token else None


def _sessions_within(state: StateDirectory) -> list[str]:
    """By the mark in the environment, which may name a session that has ended or is not known; and by parentage, for a
    process that cleared or changed it.
    """
    marked = os.environ.get(_MARK)
    parents = set(ancestors())
    found = [marked] if marked else []
    for session in sessions.not_ended(sessions.alive()):
        if not is_this_machine(session.host, session.boot_id) or session.id in found:
            continue
        claude = ProcessIdentity(session.pid or 0, session.boot_id or "", session.pid_started or 0)
        descends = claude.pid in parents and is_running(claude)
        # A pid alone proves nothing: a supervisor that lives holds its lock.
        supervised = session.supervisor_pid in parents and not file_lock.is_free(state.session(session.id).lock)
        if descends or supervised:
            found.append(session.id)
    return found


def _terminal() -> str | None:
    for descriptor in (0, 1, 2):
        with contextlib.suppress(OSError):
            return os.ttyname(descriptor)
    return None
