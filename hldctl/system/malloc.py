"""Memory that is free within the process and not yet the system's again."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable


def give_back() -> None:
    """To the system, after much was held for a moment; where the C library knows no such call it decides itself."""
    _trim()(0)


@functools.cache
def _trim() -> Callable[[int], object]:
    # Of glibc alone.
    return getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)
