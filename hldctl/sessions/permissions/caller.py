"""The caller of a command: a person in a shell, or a session through its tools.

A session that could answer its own permission requests would not have to ask. It runs as the same user, so a strict
barrier is impossible; but it is refused without --from-session, and each answer is recorded with the process that gave
it.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

from hldctl.errors import UnfitEnvironment, WrongState
from hldctl.paths import COMMAND_TOKEN, StateDirectory
from hldctl.private_files import user_name
from hldctl.protocol.enclosing import MARKER, enclosing_sessions, performer_pid
from hldctl.store import command_tokens, sessions
from hldctl.store.connection import current_connection
from hldctl.store.database import open_database
from hldctl.store.session import Session

ASKER = "HLDCTL_ASKER"
"""Variable of a command that was asked from another machine: the role that asked."""


def require_right(state: StateDirectory, action: str) -> None:
    """Raise WrongState if the command is run from within a session that may not do this."""
    refuse(session_without_right(state), action)


def refuse(session_id: str | None, action: str) -> None:
    """Raise WrongState if `session_id`, the session from within which the command is run, is not None."""
    if session_id is not None:
        raise WrongState(
            f"{action} is not allowed from within session {session_id[:8]}, which was launched without --from-session; "
            "do it from a shell outside the session."
        )


def session_without_right(state: StateDirectory) -> str | None:
    """Return the session from within which this command is run, if it may not answer requests.

    Return None outside any session, in one with --from-session, and in a user's command that hldctl runs.
    """
    with contextlib.ExitStack() as stack:
        try:
            if not state.database.exists():
                return os.environ.get(MARKER) or None
            stack.enter_context(open_database(state))
        except (UnfitEnvironment, OSError):
            return os.environ.get(MARKER) or None
        if _user_command_session() is not None:
            return None
        enclosing = enclosing_sessions(state, os.environ.get(MARKER))
        with_right = sessions.ids_with_right_to_answer(enclosing)
        return next((session_id for session_id in enclosing if session_id not in with_right), None)


def innermost_session(state: StateDirectory) -> Session | None:
    """Return the session that this command belongs to; None outside any known one. Needs an open database."""
    enclosing = [] if _user_command_session() is not None else enclosing_sessions(state, os.environ.get(MARKER))
    return sessions.get(enclosing[0]) if enclosing else None


def answer_origin(state: StateDirectory, command: str) -> dict[str, Any]:
    """Return the origin of an answer, for the record; `command` is the hldctl command that answers."""
    owner = _user_command_session()
    enclosing = [] if owner is not None else enclosing_sessions(state, os.environ.get(MARKER))
    ssh_connection = os.environ.get("SSH_CONNECTION", "").split()
    return {
        "uid": os.getuid(),
        "pid": os.getpid(),
        "tty": _terminal_name(),
        "host": os.uname().nodename,
        "command": command,
        "session_id": enclosing[0] if enclosing else None,
        "command_of": owner,
        "ssh_client": ssh_connection[0] if ssh_connection else None,
        "asked_by": _asker(state),
    }


def answerer_name(state: StateDirectory) -> str:
    """Return who answers: the user that this process runs as, or who asks for it on another machine."""
    return _asker(state) or current_user_name()


def current_user_name() -> str:
    """Return the name of the user that this process runs as, whatever LOGNAME says."""
    return user_name(os.getuid()) or str(os.getuid())


def _asker(state: StateDirectory) -> str | None:
    """Return the role that asked for this command on another machine; None if it was typed here."""
    return os.environ.get(ASKER) if performer_pid(state) is not None else None


def is_users_command(state: StateDirectory) -> bool:
    """Return whether this is a command of the user that hldctl runs for a session, or a part of one."""
    if not os.environ.get(COMMAND_TOKEN) or not state.database.exists():
        return False
    with open_database(state):
        return _user_command_session() is not None


def _user_command_session() -> str | None:
    """Return the session whose user command, run by hldctl, this process belongs to; None if there is none."""
    token = os.environ.get(COMMAND_TOKEN)
    return command_tokens.token_session(current_connection(), token) if token else None


def _terminal_name() -> str | None:
    for descriptor in (0, 1, 2):
        with contextlib.suppress(OSError):
            return os.ttyname(descriptor)
    return None
