"""How a supervisor is started."""

from __future__ import annotations

import sys


def command(*arguments: str) -> list[str]:
    """`launch`, to be told of what on standard input; or `adopt` and a session's id."""
    # -P: the working directory may hold a module of any name.
    return [sys.executable, "-P", "-m", "hldctl.supervisor", *arguments]
