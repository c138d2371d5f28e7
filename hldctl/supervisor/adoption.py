"""Having others' sessions adopted, by a supervisor that waits for their end."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

from hldctl.host import lock
from hldctl.host.paths import StateDirectory
from hldctl.host.processes import is_this_machine
from hldctl.store import sessions
from hldctl.supervisor.command import command


def start_for_lost(state: StateDirectory, ids: Iterable[str]) -> None:
    """Starts a supervisor for each of these that has lost its own; returns once they follow."""
    for session in sessions.not_ended(ids):
        files = state.session(session.id)
        if is_this_machine(session.host, session.boot_id) and files.directory.is_dir() and lock.is_free(files.lock):
            _start(session.id)


def _start(session_id: str) -> None:
    process = subprocess.Popen(
        command("adopt", session_id),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout as answer:
        answer.readline()
