"""Lines at the end of the terminal that are redrawn in place, while all else is written above them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Any

from hldctl.cli.terminal.rich_console import rendered
from hldctl.cli.terminal.signals import blocked_signals

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_NO_WRAPPING, _WRAPPING = "\x1b[?7l", "\x1b[?7h"
_ERASURE = "\r\x1b[J"


class LiveLine:
    """On the screen between `start` and `stop`, of which both may come more than once.

    The cursor stands where the first row begins, and all from there on is the rows'. So it is known where they are
    after the terminal was made narrower, whether it has cut them or wrapped them into more: any terminal keeps the
    cursor at what it stood on. What is written goes out with what erases and redraws the rows, in one piece.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rows: list[Text] = []
        self._drawn: list[str] = []
        self._former: dict[int, Any] = {}
        self.while_stopped: Callable[[], AbstractContextManager[None]] = nullcontext
        """What is entered for as long as Ctrl-Z has stopped the process."""

    def start(self) -> None:
        handlers = {signal.SIGTSTP: self._suspend, signal.SIGCONT: self._resume, signal.SIGWINCH: self._redraw}
        self._former = {number: signal.signal(number, handler) for number, handler in handlers.items()}

    def stop(self) -> None:
        """Erases the rows."""
        with blocked_signals():
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
        with blocked_signals():
            self._rows = list(rows)
            self._put("")

    def write(self, text: str) -> None:
        """Above the rows; whole lines."""
        with blocked_signals():
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
            drawn.append(rendered(self._console, cut))
        return drawn

    def _erasure(self) -> str:
        return _ERASURE if self._drawn else ""

    def _redraw(self, number: int, frame: FrameType | None) -> None:
        with blocked_signals():
            self._put("")

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-Z: leaves the terminal clean, and stops; goes on from here at `fg`."""
        with blocked_signals():
            _write(self._erasure())
            self._drawn = []
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        with self.while_stopped():
            os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._suspend)
        self._resume(number, frame)

    def _resume(self, number: int, frame: FrameType | None) -> None:
        """Below what others have written meanwhile."""
        with blocked_signals():
            _write(self._erasure())
            self._drawn = []
            self._put("")


def _below(rows: Sequence[str]) -> str:
    """Wrapped by no terminal, should it find a character wider than it was taken for; then back to the first row."""
    if not rows:
        return ""
    up = f"\x1b[{len(rows) - 1}A" if len(rows) > 1 else ""
    return _NO_WRAPPING + "\n".join(rows) + f"{_WRAPPING}\r{up}"


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
