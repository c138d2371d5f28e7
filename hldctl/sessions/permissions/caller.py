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
from hldctl.store import command_tokens, sessions
from hldctl.store.connection import current_connection
from hldctl.store.database import open_database
from hldctl.system import file_lock
from hldctl.system.processes import ProcessIdentity, ancestor_pids, is_running, is_this_machine

_MARKER_VARIABLE = "HLDCTL_SESSION_ID"
INTENT, ASKER = "HLDCTL_INTENT", "HLDCTL_ASKER"
"""Variables of a command that was asked from another machine: the number of the intent, and the role that asked."""


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
                return os.environ.get(_MARKER_VARIABLE) or None
            stack.enter_context(open_database(state))
        except (UnfitEnvironment, OSError):
            return os.environ.get(_MARKER_VARIABLE) or None
        if _user_command_session() is not None:
            return None
        enclosing = _enclosing_sessions(state)
        with_right = sessions.ids_with_right_to_answer(enclosing)
        return next((session_id for session_id in enclosing if session_id not in with_right), None)


def answer_origin(state: StateDirectory, command: str) -> dict[str, Any]:
    """Return the origin of an answer, for the record; `command` is the hldctl command that answers."""
    owner = _user_command_session()
    enclosing = [] if owner is not None else _enclosing_sessions(state)
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
    return os.environ.get(ASKER) if _performer_pid(state) is not None else None


def _performer_pid(state: StateDirectory) -> int | None:
    """Return the pid of the parent process that carries out an intent by this command; None without one."""
    if not (request := os.environ.get(INTENT)):
        return None
    lock = state.fleet.intent_lock(os.path.basename(request))
    try:
        pid = int(lock.read_text())
    except (OSError, ValueError):
        return None
    return pid if pid in ancestor_pids() and not file_lock.is_free(lock) else None


def _parents(state: StateDirectory) -> set[int]:
    """Return the pids of the parent processes, up to one that carries out an intent: a session's supervisor may be
    the parent of the link, which is not its part.
    """
    pids, performer = ancestor_pids(), _performer_pid(state)
    return set(pids if performer is None else pids[: pids.index(performer)])


def _user_command_session() -> str | None:
    """Return the session whose user command, run by hldctl, this process belongs to; None if there is none."""
    token = os.environ.get(COMMAND_TOKEN)
    return command_tokens.token_session(current_connection(), token) if token else None


def _enclosing_sessions(state: StateDirectory) -> list[str]:
    """Return the sessions that this process runs in.

    They are found by the marker in the environment, which may name an ended or unknown session; and by the parent
    processes, since a process may clear or change the marker.
    """
    marked_id = os.environ.get(_MARKER_VARIABLE)
    parents = _parents(state)
    session_ids = [marked_id] if marked_id else []
    for session in sessions.live_sessions(sessions.live_ids()):
        if not is_this_machine(session.host, session.boot_id) or session.id in session_ids:
            continue
        claude = ProcessIdentity(session.pid or 0, session.boot_id or "", session.pid_started or 0)
        is_descendant = claude.pid in parents and is_running(claude)
        # A pid alone is not proof; a live supervisor also holds its lock.
        is_supervised = session.supervisor_pid in parents and not file_lock.is_free(state.session(session.id).lock)
        if is_descendant or is_supervised:
            session_ids.append(session.id)
    return session_ids


def _terminal_name() -> str | None:
    for descriptor in (0, 1, 2):
        with contextlib.suppress(OSError):
            return os.ttyname(descriptor)
    return None
