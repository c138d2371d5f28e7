"""Rows at the end of the terminal that are redrawn in place, while other output is written above them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Any

from hldctl.cli.terminal.rich_console import render_line
from hldctl.cli.terminal.signals import block_signals

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_NO_WRAPPING, _WRAPPING = "\x1b[?7l", "\x1b[?7h"
_ERASE_BELOW = "\r\x1b[J"


class LiveLine:
    """Rows on the screen between `start` and `stop`, both of which may be called repeatedly.

    The cursor stays at the start of the first row, and everything from there on belongs to the rows. So their place is
    known after the terminal was made narrower, whether it truncates or wraps them: any terminal keeps the cursor at the
    same character. Output is sent in one piece with what erases and redraws the rows.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rows: list[Text] = []
        self._drawn: list[str] = []
        self._former: dict[int, Any] = {}
        # A context that is entered while Ctrl-Z has stopped the process.
        self.stop_context: Callable[[], AbstractContextManager[None]] = nullcontext

    def start(self) -> None:
        """Install the signal handlers."""
        handlers = {
            signal.SIGTSTP: self._on_suspend,
            signal.SIGCONT: self._on_continue,
            signal.SIGWINCH: self._on_resize,
        }
        self._former = {number: signal.signal(number, handler) for number, handler in handlers.items()}

    def stop(self) -> None:
        """Erase the rows."""
        with block_signals():
            self._rows = []
            self._redraw_below("")
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._former = {}

    @contextmanager
    def release(self) -> Iterator[None]:
        """Release the terminal to another program."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def show(self, rows: Sequence[Text]) -> None:
        """Replace the rows."""
        with block_signals():
            self._rows = list(rows)
            self._redraw_below("")

    def write(self, text: str) -> None:
        """Write whole lines above the rows."""
        with block_signals():
            self._redraw_below(text)

    def _redraw_below(self, above: str) -> None:
        """Write text, and redraw the rows below it if anything has changed."""
        rendered_rows = self._render_rows()
        if above or rendered_rows != self._drawn:
            _write(f"{self._erase_sequence()}{above}{_rows_and_return(rendered_rows)}")
            self._drawn = rendered_rows

    def _render_rows(self) -> list[str]:
        # One column and one line are left free: rows do not wrap, and only output above them scrolls.
        width, height = max(1, self._console.width - 1), max(1, self._console.height - 1)
        rendered_rows = []
        for row in self._fitting_rows(height):
            truncated = row.copy()
            truncated.truncate(width, overflow="ellipsis")
            rendered_rows.append(render_line(self._console, truncated))
        return rendered_rows

    def _fitting_rows(self, height: int) -> list[Text]:
        """Return the last rows, with a count of those that do not fit."""
        if len(self._rows) <= height:
            return self._rows
        # Imported here: rich is slow to import, and most commands have no rows.
        from rich.text import Text

        kept = self._rows[-(height - 1) :] if height > 1 else []
        return [Text(f"… {len(self._rows) - len(kept)} more", "dim"), *kept]

    def _erase_sequence(self) -> str:
        return _ERASE_BELOW if self._drawn else ""

    def _on_resize(self, number: int, frame: FrameType | None) -> None:
        with block_signals():
            self._redraw_below("")

    def _on_suspend(self, number: int, frame: FrameType | None) -> None:
        """Handle Ctrl-Z: erase the rows, stop, and redraw them at `fg`."""
        with block_signals():
            _write(self._erase_sequence())
            self._drawn = []
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        with self.stop_context():
            os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._on_suspend)
        self._on_continue(number, frame)

    def _on_continue(self, number: int, frame: FrameType | None) -> None:
        """Redraw the rows below the output of other programs."""
        with block_signals():
            _write(self._erase_sequence())
            self._drawn = []
            self._redraw_below("")


def _rows_and_return(rows: Sequence[str]) -> str:
    """Return the rows, and the move back to the first row.

    Wrapping is off, since the terminal may display a character wider than expected.
    """
    if not rows:
        return ""
    up = f"\x1b[{len(rows) - 1}A" if len(rows) > 1 else ""
    return _NO_WRAPPING + "\n".join(rows) + f"{_WRAPPING}\r{up}"


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
