"""Starting the process of a supervisor. Imports nothing that a fresh interpreter would have to wait for."""

from __future__ import annotations

import os
import subprocess

from hldctl.paths import COMMAND_TOKEN
from hldctl.supervisor.command import command

_prestarted: list[subprocess.Popen[bytes]] = []


def prestart() -> None:
    """Starts a supervisor for a launch before it is known of what, so that both load their modules at the same time.

    It waits for its request; if none comes, it ends with this process.
    """
    try:
        _prestarted.append(_spawn("launch"))
    except OSError:
        # The launch itself will say so.
        return


def for_launch() -> subprocess.Popen[bytes]:
    """A supervisor that waits for its request on standard input; raises OSError."""
    return _prestarted.pop() if _prestarted else _spawn("launch")


def for_adoption(session_id: str) -> subprocess.Popen[bytes]:
    """A supervisor for a session that has lost its own; raises OSError."""
    return _spawn("adopt", session_id)


def _spawn(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(*arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # A mark that is no session's: neither an enclosing session nor its own takes it for a stray.
        env={name: value for name, value in os.environ.items() if name != COMMAND_TOKEN}
        | {"HLDCTL_SESSION_ID": "supervisor"},
        start_new_session=True,
        close_fds=True,
    )
