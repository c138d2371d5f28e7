"""The output of a command on another machine: the greeting before it, the marks in it, and the data."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hldctl.cli.resumption import MARK, Position


class OutputSplitter:
    """Takes the output apart, and keeps the position up to which it was written.

    With `holds`, data is written when the mark after it has arrived: what is incomplete as the connection breaks comes
    again with the next one.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        write_noise: Callable[[bytes], None],
        *,
        has_marks: bool,
        holds: bool,
        counts: bool = False,
        position: Position | None = None,
        on_start: Callable[[], None] = lambda: None,
    ) -> None:
        self._write = write
        self._write_noise = write_noise
        self._has_marks = has_marks
        self._holds = holds
        self._counts = counts
        self._on_start = on_start
        self._buffer = b""
        self._held: list[bytes] = []
        self.position = position
        self.is_started = False
        """True once hldctl there has taken the request."""

    def feed(self, data: bytes) -> None:
        self._buffer += data
        if not self.is_started and not self._find_greeting():
            return
        while self._has_marks:
            before, mark, after = self._buffer.partition(MARK)
            self._add(before)
            line, newline, rest = after.partition(b"\n")
            self._buffer = mark + after
            if not newline:
                return
            self._buffer = rest
            self._apply(json.loads(line))
        self._add(self._buffer)
        self._buffer = b""

    def finish(self) -> None:
        """Write what was held: the command has ended, and nothing follows."""
        for data in self._held:
            self._write(data)
        self._held.clear()
        if not self.is_started:
            self._write_noise(self._buffer)

    def _find_greeting(self) -> bool:
        """Look for the greeting; before it may be what the start-up file of a shell prints."""
        noise, mark, rest = self._buffer.partition(MARK)
        greeting, newline, after = rest.partition(b"\n")
        if not mark or not newline:
            return False
        self._write_noise(noise)
        self._buffer = after
        self.is_started = bool(greeting)
        self._on_start()
        return True

    def _add(self, data: bytes) -> None:
        if not data:
            return
        if self._holds:
            self._held.append(data)
            return
        self._write(data)
        if self._counts and self.position is not None:
            self.position = self.position._replace(offset=self.position.offset + len(data))

    def _apply(self, mark: dict[str, Any]) -> None:
        self.position = (self.position or Position()).advance(mark)
        self._has_marks = not self.position.is_last_mark
        for data in self._held:
            self._write(data)
        self._held.clear()
