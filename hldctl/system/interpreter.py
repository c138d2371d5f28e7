"""Control of Python's garbage collection, interrupts and shutdown, which do not suit a short-lived process."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from types import FrameType

# More objects than a command creates at startup, or one step of a recording holds; there are few cycles among them.
_GC_THRESHOLD = 50_000
# Longer than a command needs to exit, shorter than a user waits before another Ctrl-C.
_INTERRUPT_SECONDS = 0.5


def reduce_garbage_collection() -> None:
    """Raise the garbage collector's threshold. Call it before large imports: their collection is 10 % of startup."""
    gc.set_threshold(_GC_THRESHOLD)


def limit_interrupts() -> None:
    """Raise KeyboardInterrupt at most twice a second, so that repeated Ctrl-C does not end the exit in a traceback."""
    last = -_INTERRUPT_SECONDS

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _INTERRUPT_SECONDS:
            last = now
            raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)


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
