"""The user's command for the end of a session: run once, whoever dies meanwhile."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping

from hldctl.paths import COMMAND_TOKEN, StateDirectory, replace_private
from hldctl.store import command_tokens
from hldctl.store.connection import current
from hldctl.store.database import opened
from hldctl.store.json_view import session_object
from hldctl.store.session import Session
from hldctl.system.error_log import log_trouble

_ONCE = 'mkdir "$1" 2>/dev/null || exit 0\n(. "$2") || echo "on_end: exit code $?" >&2'
"""Of all that are started for one session the one that can make the directory runs the command, and no supervisor's
death comes between the two. The command is in a file: every local user can read the arguments of a process.
"""
_PASSING = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT)
"""Faults of the machine that are waited out."""
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
_LONGEST_VARIABLE = 100_000
_LONGEST_OF_LITTLE_ROOM = 1_000
"""Bytes; the kernel takes 128 KiB of one, and some more of all together. Standard input has all."""


def run(state: StateDirectory, session: Session, launcher: Mapping[str, str], umask: int) -> None:
    """Returns when the command has ended; that it fails is written into the session's log and harms nothing."""
    launcher = {name: value for name, value in launcher.items() if name != COMMAND_TOKEN} | _capability(state, session)
    try:
        _run(state, session, launcher, umask, session.working_dir, _LONGEST_VARIABLE)
    except OSError as error:
        if error.errno in _PASSING:
            raise
        log_trouble()
    else:
        return
    try:
        # The directory may be gone, or closed, and the environment too large.
        _run(state, session, launcher, umask, "/", _LONGEST_OF_LITTLE_ROOM)
    except OSError as error:
        if error.errno in _PASSING:
            raise
        log_trouble()


def _capability(state: StateDirectory, session: Session) -> dict[str, str]:
    """The command carries the session's mark, and may answer and launch all the same."""
    if session.launched_within is not None:
        return {}
    with opened(state):
        return {COMMAND_TOKEN: command_tokens.issue(current(), session.id)}


def _run(
    state: StateDirectory, session: Session, launcher: Mapping[str, str], umask: int, directory: str, longest: int
) -> None:
    # Only here: few sessions have such a command, and each supervisor would pay for as long as it lives.
    import subprocess
    import tempfile

    files = state.session(session.id)
    told = session_object(session)
    replace_private(files.on_end_script, f"{session.on_end}\n".encode(errors="replace"))
    with tempfile.TemporaryFile(dir=files.directory) as news, open(files.log, "ab") as log:
        # A file rather than a pipe: a command that does not read it blocks nobody.
        news.write(json.dumps(told).encode() + b"\n")
        news.seek(0)
        subprocess.run(
            ["/bin/sh", "-c", _ONCE, "on_end", str(files.on_end_started), str(files.on_end_script)],
            stdin=news,
            stdout=log,
            stderr=log,
            cwd=directory,
            env={
                **launcher,
                **_variables(told, longest),
                "HLDCTL_SESSION_ID": session.id,
                "HLDCTL_HOME": str(state.root),
            },
            umask=umask,
            start_new_session=True,
            check=False,
        )


def _variables(told: dict[str, object], longest: int) -> dict[str, str]:
    values = {name: "" if told[name] is None else str(told[name]).replace("\0", "") for name in _VARIABLES}
    return {
        f"HLDCTL_{name.upper()}": value
        for name, value in values.items()
        if len(value.encode("utf-8", "surrogateescape")) < longest
    }
