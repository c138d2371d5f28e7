"""The command line of a supervisor."""

from __future__ import annotations

import sys


def build_supervisor_command(*arguments: str) -> list[str]:
    """Return the command line for `launch`, which reads a request from standard input, or `adopt` with a session id."""
    # -P: the working directory may hold a module of any name.
    return [sys.executable, "-P", "-m", "hldctl.supervisor", *arguments]
