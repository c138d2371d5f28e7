"""The user's command for the end of a session: run once, even if supervisors die."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping

from hldctl.paths import COMMAND_TOKEN, StateDirectory
from hldctl.private_files import replace_private
from hldctl.store import command_tokens
from hldctl.store.connection import current_connection
from hldctl.store.database import open_database
from hldctl.store.json_view import session_object
from hldctl.store.session import Session
from hldctl.system.error_log import log_exception

# Of all shells started for one session, only the one that can create the directory runs the command; no supervisor's
# death can come between the two. The command is in a file, because every local user can read a process's arguments.
_RUN_ONCE_SCRIPT = 'mkdir "$1" 2>/dev/null || exit 0\n(. "$2") || echo "on_end: exit code $?" >&2'
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
# The kernel takes 128 KiB in one variable, and some more in all together. Standard input has everything.
_MAX_VARIABLE_BYTES = 100_000
_MAX_SMALL_VARIABLE_BYTES = 1_000


def run(state: StateDirectory, session: Session, environment: Mapping[str, str], umask: int) -> None:
    """Run the command and wait for its end. Its failure is only written to the session's log.

    Raise OSError after a transient system fault, so that the caller retries.
    """
    environment = {name: value for name, value in environment.items() if name != COMMAND_TOKEN} | _command_token(
        state, session
    )
    try:
        _run(state, session, environment, umask, session.working_dir, _MAX_VARIABLE_BYTES)
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
    max_bytes: int,
) -> None:
    # Imported here: few sessions have such a command, and every supervisor would keep the memory for its lifetime.
    import subprocess
    import tempfile

    files = state.session(session.id)
    session_fields = session_object(session)
    replace_private(files.on_end_script, f"{session.on_end}\n".encode(errors="replace"))
    with tempfile.TemporaryFile(dir=files.directory) as input_file, open(files.log, "ab") as log:
        # A file and not a pipe, so that a command that does not read it blocks nothing.
        input_file.write(json.dumps(session_fields).encode() + b"\n")
        input_file.seek(0)
        subprocess.run(
            ["/bin/sh", "-c", _RUN_ONCE_SCRIPT, "on_end", str(files.on_end_started), str(files.on_end_script)],
            stdin=input_file,
            stdout=log,
            stderr=log,
            cwd=directory,
            env={
                **environment,
                **_variables(session_fields, max_bytes),
                "HLDCTL_SESSION_ID": session.id,
                "HLDCTL_HOME": str(state.root),
            },
            umask=umask,
            start_new_session=True,
            check=False,
        )


def _variables(session_fields: dict[str, object], max_bytes: int) -> dict[str, str]:
    values = {
        name: "" if session_fields[name] is None else str(session_fields[name]).replace("\0", "") for name in _VARIABLES
    }
    return {
        f"HLDCTL_{name.upper()}": value
        for name, value in values.items()
        if len(value.encode("utf-8", "surrogateescape")) < max_bytes
    }
