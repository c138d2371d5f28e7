"""Python's own housekeeping, most of which a process as short as ours would pay for in vain."""

from __future__ import annotations

import gc
import os
import sys

_OBJECTS = 50_000
"""More than a command makes as it starts, and than one step of a recording holds; cycles among them are few."""


def collect_rarely() -> None:
    """To be called before what is large is imported: looking through it for cycles takes a tenth of the start."""
    gc.set_threshold(_OBJECTS)


def leave(code: int) -> None:
    """Ends the process without taking it apart piece by piece, which takes as long as a query.

    What was written is flushed first; returns if that fails, or if a thread still works: then all goes Python's way.
    """
    threading = sys.modules.get("threading")
    if threading is not None and threading.active_count() > 1:
        return
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        return
    os._exit(code)
