"""Lines at the end of the terminal that are redrawn in place, while all else is written above them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_DISTURBING = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGALRM),
    *(signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH),
)

_NO_WRAPPING, _WRAPPING = "\x1b[?7l", "\x1b[?7h"


class LiveLine:
    """On the screen between `start` and `stop`, of which both may come more than once.

    Each row is cut to the terminal's width, so that it is known how far up the first one is. What is written goes out
    with what erases and redraws the rows, in one piece.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rows: list[Text] = []
        self._drawn: list[str] = []
        self._former: dict[int, Any] = {}

    def start(self) -> None:
        handlers = {signal.SIGTSTP: self._suspend, signal.SIGCONT: self._resume, signal.SIGWINCH: self._redraw}
        self._former = {number: signal.signal(number, handler) for number, handler in handlers.items()}

    def stop(self) -> None:
        """Erases the rows."""
        with _undisturbed():
            self._rows = []
            self._put("")
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._former = {}

    @contextmanager
    def away(self) -> Iterator[None]:
        """For as long as somebody else has the terminal."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def show(self, rows: Sequence[Text]) -> None:
        with _undisturbed():
            self._rows = list(rows)
            self._put("")

    def write(self, text: str) -> None:
        """Above the rows; whole lines."""
        with _undisturbed():
            self._put(text)

    def _put(self, above: str) -> None:
        drawn = self._rendered()
        if above or drawn != self._drawn:
            _write(f"{self._erasure()}{above}{_below(drawn)}")
            self._drawn = drawn

    def _rendered(self) -> list[str]:
        # One column and one line are left free: nothing wraps, and nothing scrolls but what is written above.
        width, height = max(1, self._console.width - 1), max(1, self._console.height - 1)
        drawn = []
        for row in self._rows[-height:]:
            cut = row.copy()
            cut.truncate(width, overflow="ellipsis")
            with self._console.capture() as captured:
                self._console.print(cut, end="", no_wrap=True, overflow="ignore", crop=False)
            drawn.append(captured.get())
        return drawn

    def _erasure(self) -> str:
        if not self._drawn:
            return ""
        up = f"\x1b[{len(self._drawn) - 1}A" if len(self._drawn) > 1 else ""
        return f"\r{up}\x1b[J"

    def _redraw(self, number: int, frame: FrameType | None) -> None:
        with _undisturbed():
            self._put("")

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-Z: leaves the terminal clean, and stops; goes on from here at `fg`."""
        with _undisturbed():
            _write(self._erasure())
            self._drawn = []
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._suspend)
        self._resume(number, frame)

    def _resume(self, number: int, frame: FrameType | None) -> None:
        """Below what others have written meanwhile."""
        with _undisturbed():
            _write("\r\x1b[K" if self._drawn else "")
            self._drawn = []
            self._put("")


def _below(rows: Sequence[str]) -> str:
    """Wrapped by no terminal, should it find a character wider than it was taken for."""
    return _NO_WRAPPING + "\n".join(rows) + _WRAPPING if rows else ""


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No signal's handler comes between writing and knowing what has been written."""
    former = signal.pthread_sigmask(signal.SIG_BLOCK, _DISTURBING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
