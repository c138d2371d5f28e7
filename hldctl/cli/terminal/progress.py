"""A line on standard error that shows how far a long task is; nothing in a pipe."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

# Nothing is shown for tasks that are done by then, in seconds.
_DELAY_SECONDS = 0.5
_INTERVAL_SECONDS = 0.1
_ERASE_LINE = "\r\x1b[K"


def show_progress(
    items: Iterable[T],
    describe: Callable[[int], str],
    size: Callable[[T], int] = lambda item: 1,
    *,
    prints_items: bool,
) -> Iterator[T]:
    """Yield the items; at a terminal, describe their total size so far on a line that is erased at the end.

    If the items are printed to a terminal, they show the progress themselves.
    """
    if not sys.stderr.isatty() or (prints_items and sys.stdout.isatty()):
        yield from items
        return
    next_at = time.monotonic() + _DELAY_SECONDS
    is_shown = False
    total = 0
    try:
        for item in items:
            yield item
            total += size(item)
            if (now := time.monotonic()) >= next_at:
                _write(f"{_ERASE_LINE}{describe(total)}")
                is_shown = True
                next_at = now + _INTERVAL_SECONDS
    finally:
        if is_shown:
            _write(_ERASE_LINE)


class ElapsedTime:
    """A line that counts the seconds of a task whose length is unknown, at a terminal."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._started = time.monotonic()
        self._is_shown = False
        self._lock = threading.Lock()
        self._end = threading.Event()

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Erase the line, so that the block can print, and do not show it before the block has ended."""
        with self._lock:
            self._erase()
            yield

    def __enter__(self) -> ElapsedTime:
        if sys.stderr.isatty():
            threading.Thread(target=self._count, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        with self._lock:
            self._erase()

    def _count(self) -> None:
        while not self._end.wait(1):
            with self._lock:
                if not self._end.is_set():
                    _write(f"{_ERASE_LINE}{self._label} {time.monotonic() - self._started:.0f}s")
                    self._is_shown = True

    def _erase(self) -> None:
        if self._is_shown:
            _write(_ERASE_LINE)
            self._is_shown = False


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
