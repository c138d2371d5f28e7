"""A pseudo-terminal in which a test runs hldctl, types and reads the screen."""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any

import pyte

from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox

JOB_CONTROL = (
    *("bash", "--norc", "--noprofile", "-c", 'set -m; "$@"; while read -r line; do $line; done', "bash"),
    *(sys.executable, "-m", "hldctl"),
)
"""A shell that runs the command, and reads the next command when this one is stopped."""

IN_BACKGROUND = (
    *JOB_CONTROL[:4],
    # A stopped command ends the loop in which it was continued.
    'set -m; "$@" &' + 3 * " while read -r line; do $line; done;",
    *JOB_CONTROL[5:],
)
"""The same shell, with the command in the background from the start."""


class Display(pyte.Screen):
    """pyte's screen, with dim text stored as blinking text: pyte has no dim text, and hldctl never blinks."""

    reply: Callable[[bytes], Any] | None = None

    def write_process_input(self, data: str) -> None:
        """Send the terminal's answer to a query, such as for its attributes: fish 4 waits for that as it starts."""
        if self.reply is not None:
            self.reply(data.encode())

    def select_graphic_rendition(self, *attrs: int, **more: bool) -> None:
        changed: list[int] = []
        rest = list(attrs)
        while rest:
            # A color takes several numbers: its index, or red, green and blue.
            size = {5: 3, 2: 5}.get(rest[1], 1) if rest[0] in (38, 48) and len(rest) > 1 else 1
            attribute, rest = rest[:size], rest[size:]
            changed += [5] if attribute == [2] else [22, 25] if attribute == [22] else attribute
        super().select_graphic_rendition(*changed, **more)


class ReflowingScreen(Display):
    """A screen that wraps long lines when it becomes narrower, as most terminals do; pyte truncates them.

    The cursor stays at its character.
    """

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        width, height = columns or self.columns, lines or self.lines
        if width >= self.columns:
            super().resize(lines, columns)
            return
        rows: list[dict[int, Any]] = []
        for y in range(self.lines):
            row = {x: char for x, char in self.buffer[y].items() if char.data != " "}
            if y == self.cursor.y:
                position = (len(rows) + self.cursor.x // width, self.cursor.x % width)
            for first in range(0, max([0, *row]) + 1, width):
                rows.append({x - first: char for x, char in row.items() if first <= x < first + width})
        # Rows that do not fit are removed at the bottom as long as the cursor stays visible, and then at the top.
        removed = max(0, position[0] - height + 1)
        super().resize(height, width)
        self.buffer.clear()
        for y, row in enumerate(rows[removed : removed + height]):
            self.buffer[y].update(row)
        self.cursor.y, self.cursor.x = position[0] - removed, position[1]


class Terminal:
    """A command of hldctl, or another program, in its own terminal."""

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
        self.display.reply = partial(os.write, self._master)
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
            # Make it the controlling terminal: shells need one, and Ctrl-C then sends a signal.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        os.set_blocking(self._master, False)
        self.output = ""
        self._is_hung_up = False

    def wait_for_output(self, text: str) -> str:
        """Wait for a text in the output. Return and discard the output up to its end."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while text not in self.output:
            if not self._read() and time.monotonic() > deadline:
                raise AssertionError(f"no {text!r} in the output: {self.output!r}")
        before, match, self.output = self.output.partition(text)
        return before + match

    def screen(self) -> list[str]:
        """Return the lines of the screen, without trailing blanks."""
        while self._read():
            pass
        return [line.rstrip() for line in self.display.display]

    def wait_for_screen(self, text: str) -> list[str]:
        """Wait until a text is on the screen, and return the screen."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while text not in "\n".join(lines := self.screen()):
            if time.monotonic() > deadline:
                raise AssertionError(f"no {text!r} on the screen: {lines}")
            time.sleep(0.02)
        return lines

    def resize(self, columns: int, lines: int) -> None:
        self.display.resize(lines, columns)
        termios.tcsetwinsize(self._master, (lines, columns))

    def modes(self) -> list[Any]:
        """Return the attributes that `stty` shows, such as whether input is echoed and read line by line."""
        return termios.tcgetattr(self._master)

    def is_restored(self) -> bool:
        """Return whether the command has left the alternate screen, shown the cursor and restored line wrapping."""
        self.screen()
        return (
            self.output.count("\x1b[?1049h") == self.output.count("\x1b[?1049l")
            and not self.display.cursor.hidden
            and pyte.modes.DECAWM in self.display.mode
        )

    def hang_up(self) -> None:
        os.close(self._master)
        self._is_hung_up = True

    def enter(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait_for_exit(self) -> tuple[int, str]:
        """Wait for the command to exit. Return its exit code and the rest of the output."""
        code = self.process.wait(TIMEOUT_SECONDS)
        while self._read():
            pass
        return code, self.output

    def _read(self) -> bool:
        try:
            data = os.read(self._master, 65536)
        except BlockingIOError:
            time.sleep(0.02)
            return False
        except OSError:
            # Linux fails like this when no process has the other end open.
            return False
        self._stream.feed(data)
        self.output += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        if not self._is_hung_up:
            os.close(self._master)
