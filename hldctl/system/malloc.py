"""Control of the C library's memory allocator."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable


def release_free_memory() -> None:
    """Return free memory to the system, after a temporary peak. Without malloc_trim(3) this does nothing."""
    _trim()(0)


@functools.cache
def _trim() -> Callable[[int], object]:
    # Only glibc has it.
    return getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)
