"""A line on standard error that shows how far a long task is; nothing in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

# Nothing is shown for tasks that are done by then, in seconds.
_DELAY_SECONDS = 0.5
_INTERVAL_SECONDS = 0.1
_ERASE_LINE = "\r\x1b[K"


def show_progress(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Yield the items; at a terminal, count them on a line that is erased at the end.

    With standard output at a terminal too, the items themselves are expected to be printed there: the line is erased
    before each of them.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    next_at = time.monotonic() + _DELAY_SECONDS
    is_shown = False
    try:
        for count, item in enumerate(items, 1):
            if is_shown and sys.stdout.isatty():
                _write(_ERASE_LINE)
                is_shown = False
            yield item
            if (now := time.monotonic()) >= next_at:
                _write(f"{_ERASE_LINE}{label} {count}" + ("" if total is None else f" of {total}"))
                is_shown = True
                next_at = now + _INTERVAL_SECONDS
    finally:
        if is_shown:
            _write(_ERASE_LINE)


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
