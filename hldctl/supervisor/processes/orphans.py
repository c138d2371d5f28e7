"""Orphans: processes whose own parent, a part of the session, has ended."""

from __future__ import annotations

import ctypes
import os
import sys

from hldctl.supervisor.guard import guard_pids

_PR_SET_CHILD_SUBREAPER = 36

_is_adopting: list[bool] = []


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent dies, if the system supports it (Linux)."""
    if sys.platform == "linux":
        _is_adopting.append(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def has_no_orphans() -> bool:
    """Return whether it is certain that a Claude Code that this process has started, and that ended, left no process.

    What it left has become a child of this process, if the system supports that.
    """
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            return any(_is_adopting) and {int(pid) for pid in file.read().split()} <= guard_pids()
    except OSError:
        return False
