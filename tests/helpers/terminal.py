"""A terminal for a test: hldctl run in it as by a person who reads and types."""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import pyte

from tests.helpers.sandbox import PATIENCE, Sandbox

JOB_CONTROL = (
    *("bash", "--norc", "--noprofile", "-c", 'set -m; "$@"; while read -r line; do $line; done', "bash"),
    *(sys.executable, "-m", "hldctl"),
)
"""A shell that runs the command, and reads on once it has been stopped."""

IN_BACKGROUND = (
    *JOB_CONTROL[:4],
    # A command that is stopped ends the loops that it was continued in.
    'set -m; "$@" &' + 3 * " while read -r line; do $line; done;",
    *JOB_CONTROL[5:],
)
"""The same, with the command in the background from the start."""


class Display(pyte.Screen):
    """pyte's, which knows of no dim text: that is kept as text that blinks, of which hldctl has none."""

    def select_graphic_rendition(self, *attrs: int, **more: bool) -> None:
        changed: list[int] = []
        rest = list(attrs)
        while rest:
            # A colour by its number, or by red, green and blue, is words of its own.
            size = {5: 3, 2: 5}.get(rest[1], 1) if rest[0] in (38, 48) and len(rest) > 1 else 1
            words, rest = rest[:size], rest[size:]
            changed += [5] if words == [2] else [22, 25] if words == [22] else words
        super().select_graphic_rendition(*changed, **more)


class ReflowingScreen(Display):
    """As most terminals of today, and unlike pyte's own: made narrower it wraps what is too long, rather than cutting
    it, and the cursor stays at the character that it stood on."""

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        width, height = columns or self.columns, lines or self.lines
        if width >= self.columns:
            super().resize(lines, columns)
            return
        rows: list[dict[int, Any]] = []
        for y in range(self.lines):
            row = {x: char for x, char in self.buffer[y].items() if char.data != " "}
            if y == self.cursor.y:
                place = (len(rows) + self.cursor.x // width, self.cursor.x % width)
            for first in range(0, max([0, *row]) + 1, width):
                rows.append({x - first: char for x, char in row.items() if first <= x < first + width})
        # What has no room leaves at the bottom for as long as the cursor stays, and then at the top.
        gone = max(0, place[0] - height + 1)
        super().resize(height, width)
        self.buffer.clear()
        for y, row in enumerate(rows[gone : gone + height]):
            self.buffer[y].update(row)
        self.cursor.y, self.cursor.x = place[0] - gone, place[1]


class Terminal:
    """One command of hldctl, or another program, in a terminal of its own."""

    def __init__(
        self,
        sandbox: Sandbox,
        *arguments: str,
        columns: int = 80,
        lines: int = 24,
        program: Sequence[str] = (sys.executable, "-m", "hldctl"),
        environment: Mapping[str, str] = {},
        screen: type[Display] = Display,
    ) -> None:
        self._master, slave = pty.openpty()
        self.display = screen(columns, lines)
        self._stream = pyte.ByteStream(self.display)
        self.resize(columns, lines)
        self.process = subprocess.Popen(
            [*program, *arguments],
            cwd=sandbox.work,
            env=sandbox.environment | {"TERM": "xterm-256color"} | dict(environment),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            # As its own: shells ask for that, and Ctrl-C is a signal then.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        os.set_blocking(self._master, False)
        self.shown = ""
        self._is_hung_up = False

    def shows(self, text: str) -> str:
        """Waits for that to come; returns all that was shown up to then, which is not looked at again."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.shown:
            if not self._read() and time.monotonic() > deadline:
                raise AssertionError(f"waited in vain for {text!r}; shown: {self.shown!r}")
        before, found, self.shown = self.shown.partition(text)
        return before + found

    def screen(self) -> list[str]:
        """What stands on the screen now, line by line, without blanks at the ends."""
        while self._read():
            pass
        return [line.rstrip() for line in self.display.display]

    def becomes(self, text: str) -> list[str]:
        """Waits until that stands on the screen; returns the screen."""
        deadline = time.monotonic() + PATIENCE
        while text not in "\n".join(lines := self.screen()):
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain for {text!r} on the screen: {lines}")
            time.sleep(0.02)
        return lines

    def resize(self, columns: int, lines: int) -> None:
        self.display.resize(lines, columns)
        termios.tcsetwinsize(self._master, (lines, columns))

    def modes(self) -> list[Any]:
        """What `stty` shows: whether what is typed is echoed, and read in whole lines."""
        return termios.tcgetattr(self._master)

    def is_as_before(self) -> bool:
        """Whether no screen of its own is left on it, the cursor is there, and long lines wrap."""
        self.screen()
        return (
            self.shown.count("\x1b[?1049h") == self.shown.count("\x1b[?1049l")
            and not self.display.cursor.hidden
            and pyte.modes.DECAWM in self.display.mode
        )

    def hang_up(self) -> None:
        os.close(self._master)
        self._is_hung_up = True

    def enter(self, text: str) -> None:
        os.write(self._master, text.encode())

    def ended(self) -> tuple[int, str]:
        """The exit code, and what was shown last."""
        code = self.process.wait(PATIENCE)
        while self._read():
            pass
        return code, self.shown

    def _read(self) -> bool:
        try:
            read = os.read(self._master, 65536)
        except BlockingIOError:
            time.sleep(0.02)
            return False
        except OSError:
            # What Linux says once nobody has the other end open.
            return False
        self._stream.feed(read)
        self.shown += read.decode(errors="replace").replace("\r\n", "\n")
        return bool(read)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        if not self._is_hung_up:
            os.close(self._master)
