"""The user's command for the end of a session: run once, even if supervisors die."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from hldctl.paths import COMMAND_TOKEN, StateDirectory
from hldctl.store import command_tokens
from hldctl.store.connection import current_connection
from hldctl.store.database import open_database
from hldctl.store.json_view import session_object
from hldctl.store.session import Session
from hldctl.system.error_log import log_exception

# System faults after which the caller retries.
_TRANSIENT_ERRORS = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT)
_VARIABLES = (
    "claude_session_id",
    "cost_usd",
    "duration_ms",
    "end_reason",
    "error_message",
    "exit_code",
    "name",
    "num_turns",
    "result_content",
    "run_id",
    "status",
    "summary",
    "title",
    "working_dir",
)
# In case the environment is too large. Standard input has everything.
_MAX_SMALL_VARIABLE_BYTES = 1_000


def run(state: StateDirectory, session: Session, environment: Mapping[str, str], umask: int) -> None:
    """Run the command and wait for its end. Its failure is only written to the session's log.

    Raise OSError after a transient system fault, so that the caller retries.
    """
    environment = {name: value for name, value in environment.items() if name != COMMAND_TOKEN} | _command_token(
        state, session
    )
    try:
        _run(state, session, environment, umask, session.working_dir)
    except OSError as error:
        if error.errno in _TRANSIENT_ERRORS:
            raise
        log_exception()
    else:
        return
    try:
        # The directory may be gone or inaccessible, or the environment too large.
        _run(state, session, environment, umask, "/", _MAX_SMALL_VARIABLE_BYTES)
    except OSError as error:
        if error.errno in _TRANSIENT_ERRORS:
            raise
        log_exception()


def _command_token(state: StateDirectory, session: Session) -> dict[str, str]:
    """Return a token with which the command may answer and launch although it has the session's marker."""
    if session.launched_within is not None:
        return {}
    with open_database(state):
        return {COMMAND_TOKEN: command_tokens.issue(current_connection(), session.id)}


def _run(
    state: StateDirectory,
    session: Session,
    environment: Mapping[str, str],
    umask: int,
    directory: str,
    max_bytes: int | None = None,
) -> None:
    # Imported here: few sessions have such a command, and every supervisor would keep the memory for its lifetime.
    from hldctl.user_commands import start

    assert session.on_end is not None, "the session has no command"
    files = state.session(session.id)
    fields = session_object(session)
    start.start(
        "on_end",
        session.on_end,
        start.CommandFiles(files.on_end_script, files.on_end_failure, files.on_end_started),
        files,
        fields,
        {
            **environment,
            **start.variables(fields, _VARIABLES, max_bytes or start.MAX_VARIABLE_BYTES),
            "HLDCTL_SESSION_ID": session.id,
            "HLDCTL_HOME": str(state.root),
        },
        cwd=directory,
        umask=umask,
    ).wait()
