"""The user's command for the end of a session: run once, whoever dies meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping

from hldctl.host.paths import StateDirectory, touch
from hldctl.store import sessions
from hldctl.store.database import opened
from hldctl.store.models import Session
from hldctl.store.view import session_object

_ONCE = 'mkdir "$0" 2>/dev/null || exit 0\n({command}\n) || echo "on_end: exit code $?" >&2'
"""Of all that are started for one session the one that can make the directory runs the command, and no supervisor's
death comes between the two.
"""
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
"""Characters; the kernel takes 128 KiB. Standard input has all."""


def run(state: StateDirectory, session: Session, launcher: Mapping[str, str]) -> None:
    """Returns when the command has ended; that it fails is written into the session's log and harms nothing."""
    # Only here: it takes as long to import as all of the hook's own modules.
    import tempfile

    files = state.session(session.id)
    told = session_object(session)
    with tempfile.TemporaryFile(dir=files.directory) as news, open(files.log, "ab") as log:
        # A file rather than a pipe: a command that does not read it blocks nobody.
        news.write(json.dumps(told).encode() + b"\n")
        news.seek(0)
        subprocess.run(
            ["/bin/sh", "-c", _ONCE.format(command=session.on_end), str(files.on_end_begun)],
            stdin=news,
            stdout=log,
            stderr=log,
            cwd=session.working_dir if os.path.isdir(session.working_dir) else "/",
            env={**launcher, **_variables(told), "HLDCTL_SESSION_ID": session.id, "HLDCTL_HOME": str(state.root)},
            start_new_session=True,
            check=False,
        )
    with opened(state):
        sessions.on_end_done(session.id)
    touch(files.changed)


def _variables(told: dict[str, object]) -> dict[str, str]:
    values = {name: "" if told[name] is None else str(told[name]) for name in _VARIABLES}
    return {
        f"HLDCTL_{name.upper()}": value.replace("\0", "")
        for name, value in values.items()
        if len(value) < _LONGEST_VARIABLE
    }
