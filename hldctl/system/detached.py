"""The start of a process that outlives this one and belongs to no session."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hldctl.paths import COMMAND_TOKEN, STATE_VARIABLE, StateDirectory
from hldctl.private_files import PRIVATE_FILE


def start_module(state: StateDirectory, module: str, log: Path) -> None:
    """Run a module of hldctl in a session of its own, with standard error in a new log; raise OSError if it cannot."""
    environment = {name: value for name, value in os.environ.items() if name != COMMAND_TOKEN}
    # The marker of supervisors, which belong to no session.
    environment |= {"HLDCTL_SESSION_ID": "supervisor", STATE_VARIABLE: str(state.root)}
    os.posix_spawn(
        sys.executable,
        # -P: the working directory may hold a module of any name.
        [sys.executable, "-P", "-m", module],
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE),
        ],
        setsid=True,
    )
