"""Control of Python's garbage collection and shutdown, most of which is wasted on a short-lived process."""

from __future__ import annotations

import gc
import os
import sys

# More objects than a command creates at startup, or one step of a recording holds; there are few cycles among them.
_GC_THRESHOLD = 50_000


def reduce_garbage_collection() -> None:
    """Raise the garbage collector's threshold. Call it before large imports: their collection is 10 % of startup."""
    gc.set_threshold(_GC_THRESHOLD)


def exit_fast(code: int) -> None:
    """Exit without Python's shutdown, which takes as long as a query.

    Standard output and standard error are flushed first. If that fails, or another thread is still running, return, so
    that the caller exits in the usual way.
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
