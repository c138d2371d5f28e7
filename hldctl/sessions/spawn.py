"""Starting supervisor processes. Imports nothing slow, since a fresh interpreter would have to wait for it."""

from __future__ import annotations

import os
import subprocess

from hldctl.paths import COMMAND_TOKEN, STATE_VARIABLE, StateDirectory
from hldctl.supervisor.command import build_supervisor_command

_prestarted: list[subprocess.Popen[bytes]] = []
_children: list[subprocess.Popen[bytes]] = []
"""The supervisors that this process has started and not reaped."""


def prestart() -> None:
    """Start a supervisor before its launch request is known, so that both processes load their modules in parallel.

    It waits for the request; if there is none, it exits with this process.
    """
    try:
        _prestarted.append(_spawn({}, "launch"))
    except OSError:
        # The launch itself will report the error.
        return


def spawn_for_launch(state: StateDirectory) -> subprocess.Popen[bytes]:
    """Return a supervisor process that waits for its request on standard input; raise OSError if it cannot start."""
    return _prestarted.pop() if _prestarted else _spawn({STATE_VARIABLE: str(state.root)}, "launch")


def spawn_for_adoption(state: StateDirectory, session_id: str) -> subprocess.Popen[bytes]:
    """Start a supervisor for a session that has lost its own; raise OSError if it cannot start."""
    return _spawn({STATE_VARIABLE: str(state.root)}, "adopt", session_id)


def reap() -> None:
    """Reap the supervisors of this process that have ended; for a program that launches one session after another."""
    _children[:] = [child for child in _children if child.poll() is None]


def _spawn(variables: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    # A command that waits replaces supervisors that were killed.
    reap()
    child = subprocess.Popen(
        build_supervisor_command(*arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # Set a marker that matches no session, so that neither an enclosing session nor its own treats this supervisor
        # as a leftover process.
        env={name: value for name, value in os.environ.items() if name != COMMAND_TOKEN}
        | {"HLDCTL_SESSION_ID": "supervisor"}
        | variables,
        start_new_session=True,
        close_fds=True,
    )
    _children.append(child)
    return child
