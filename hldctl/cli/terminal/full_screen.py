"""The alternate screen of the terminal, with the previous content restored on exit, however that happens."""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
import termios
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from hldctl.cli.terminal.keyboard import single_keys
from hldctl.cli.terminal.rich_console import render_line
from hldctl.cli.terminal.signals import block_signals, die
from hldctl.errors import UnfitEnvironment

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

# xterm's alternate screen, no cursor, no wrapping: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
_ENTER, _LEAVE = "\x1b[?1049h\x1b[H\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME, _ERASE_TO_END_OF_LINE, _ERASE_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


class FullScreen:
    """A screen created by `full_screen`."""

    def __init__(self, console: Console, descriptor: int, *, has_keys: bool) -> None:
        # A file that is touched when `draw` is needed: the terminal was resized, or the process is about to stop or was
        # continued. This wakes a Wakeup that waits for files, which a signal handler alone does not. The file has no
        # other name, so nothing is left of it, however the process ends.
        self.redraw_signal = Path(f"/dev/fd/{descriptor}")
        self._descriptor = descriptor
        self._console = console
        self._has_keys = has_keys
        self._modes = ExitStack()
        self._drawn: tuple[object, list[str]] | None = None
        self._should_stop = self._was_stopped = False

    def draw(self, lines: Sequence[Text]) -> None:
        """Draw as many lines as fit; none may be wider than the screen. Unchanged content is not sent again.

        Ctrl-Z takes effect here, so that the terminal is never half restored. In the background the process is stopped,
        as by SIGTTOU.
        """
        if self._should_stop:
            self._stop()
        if self._was_stopped or not is_in_foreground():
            await_foreground()
            with block_signals():
                self.leave()
                self.enter()
        self._put(lines)

    def _put(self, lines: Sequence[Text]) -> None:
        width, height = self._console.size
        rows = [
            render_line(self._console, line) + (_ERASE_TO_END_OF_LINE if line.cell_len < width else "")
            for line in lines[:height]
        ]
        drawn = ((width, height), rows)
        if drawn != self._drawn:
            below = f"\n{_ERASE_BELOW}" if len(rows) < height else ""
            _write(_HOME + "\n".join(rows) + below)
            self._drawn = drawn

    def note(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: record it, and touch `redraw_signal`."""
        self._should_stop |= number == signal.SIGTSTP
        self._was_stopped |= number == signal.SIGCONT
        os.utime(self._descriptor)

    def _stop(self) -> None:
        """Stop the process until `fg`."""
        with block_signals():
            self.leave()
            self._should_stop = False
        former = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, former)
        self._was_stopped = True

    def enter(self) -> None:
        """Switch to the alternate screen."""
        self._was_stopped = False
        if self._has_keys:
            self._modes.enter_context(single_keys())
        self._modes.callback(_write, _LEAVE)
        _write(_ENTER)
        self._drawn = None

    def leave(self) -> None:
        """Restore the screen and the terminal's modes."""
        self._modes.close()


@contextmanager
def full_screen(console: Console, *, has_keys: bool = False) -> Iterator[FullScreen]:
    """Open the alternate screen; with `has_keys`, the terminal delivers each key as it is pressed."""
    try:
        with tempfile.TemporaryFile() as file:
            await_foreground()
            yield from _enter_with_handlers(FullScreen(console, file.fileno(), has_keys=has_keys))
    except (OSError, EOFError, termios.error):
        if not sys.stdout.isatty():
            # The terminal is gone, and the parent process has made us ignore SIGHUP.
            die(signal.SIGHUP)
        raise


def is_in_foreground() -> bool:
    """Return whether the process group may draw on the terminal; also true if it is not our controlling terminal."""
    try:
        return os.tcgetpgrp(sys.stdout.fileno()) == os.getpgrp()
    except OSError:
        return True


def await_foreground() -> None:
    """Let the kernel stop the process group until it is in the foreground, as it does for changes of terminal modes.

    tcdrain() has this effect and changes nothing. Raise UnfitEnvironment if no shell can bring the group to the
    foreground.
    """
    while True:
        try:
            termios.tcdrain(sys.stdout)
        except termios.error as error:
            # The SIGCONT handler has run.
            if error.args[0] == errno.EINTR:
                continue
            if sys.stdout.isatty() and not is_in_foreground():
                raise UnfitEnvironment(
                    "Another program uses the terminal, and no shell can bring hldctl to the foreground."
                ) from None
            raise
        return


def _enter_with_handlers(screen: FullScreen) -> Iterator[FullScreen]:
    numbers = (signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT)
    former = {number: signal.signal(number, screen.note) for number in numbers}
    try:
        with block_signals():
            screen.enter()
        yield screen
    finally:
        with block_signals():
            screen.leave()
        for number, handler in former.items():
            signal.signal(number, handler)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
