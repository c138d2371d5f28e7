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

import pyte

from tests.sandbox import PATIENCE, Sandbox


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
    ) -> None:
        self._master, slave = pty.openpty()
        self.display = Display(columns, lines)
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
        os.close(self._master)
