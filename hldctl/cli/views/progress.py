"""The line about sessions that a command waits for, redrawn in place on standard error at a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hldctl.cli import output
from hldctl.cli.terminal.rich_console import can_draw

if TYPE_CHECKING:
    from hldctl.cli.terminal.live_region import LiveLine


class Progress:
    """The line on a terminal; without one, only notes are printed."""

    def __init__(self, ids: Sequence[str], line: LiveLine | None) -> None:
        self._ids = ids
        self._line = line

    def draw(self) -> None:
        """Draw the line. The database has to be open."""
        if self._line is None:
            return
        from hldctl.cli.render import progress
        from hldctl.sessions.inspect.activity import load_activities
        from hldctl.store import sessions

        self._line.show([progress.line(sessions.progress(self._ids), load_activities())])

    def print_note(self, text: str) -> None:
        """Print a message above the line."""
        if self._line is None:
            output.print_note(text)
        else:
            self._line.write(f"{output.note(text)}\n")


@contextmanager
def progress_line(ids: Sequence[str]) -> Iterator[Progress]:
    """Show the line until the end of the block, which must not write to standard output."""
    if not can_draw(sys.stderr):
        yield Progress(ids, None)
        return
    # Imported here: rich is slow to import.
    from hldctl.cli.terminal import rich_console
    from hldctl.cli.terminal.live_region import LiveLine

    # For the whole block: the line is also redrawn by a signal handler, when the terminal has another size.
    with contextlib.redirect_stdout(sys.stderr):
        line = LiveLine(rich_console.console())
        line.start()
        try:
            yield Progress(ids, line)
        finally:
            line.stop()
