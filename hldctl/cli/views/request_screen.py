"""A permission request on a screen of its own, which scrolls and records whether the end was shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.text import Text

from hldctl.cli.render import wrap
from hldctl.cli.render.permission_request import Line
from hldctl.cli.terminal import keyboard
from hldctl.cli.terminal.full_screen import full_screen
from hldctl.sessions.supervisors import POLL_SECONDS
from hldctl.system.watcher import Wakeup

_FAR = 1 << 30
_STEPS = {"up": -1, "k": -1, "down": 1, "j": 1, "\n": 1, "home": -_FAR, "g": -_FAR, "end": _FAR, "G": _FAR}
_PAGES = {"page up": -1, "b": -1, "page down": 1, " ": 1}
_MORE = "↑↓, space, end: scroll"


class RequestView:
    """The lines of a request, with a scroll position."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.end_was_seen = False
        self._lines = lines
        self._top = 0
        self._page_height = self._row_count = 1
        self._wrapped: tuple[int, list[Text]] | None = None

    def rows(self, width: int) -> list[Text]:
        # Cached: wrapping a megabyte takes a second.
        """Return all lines, wrapped to `width` columns."""
        if self._wrapped is None or self._wrapped[0] != width:
            self._wrapped = (width, list(wrap.rows(self._lines, width)))
        return self._wrapped[1]

    def press(self, key: str) -> bool:
        """Scroll if the key does that. Return whether it does."""
        if (step := _STEPS.get(key, _PAGES.get(key, 0) * max(1, self._page_height - 1))) == 0:
            return False
        self._top = max(0, min(self._top + step, self._row_count - self._page_height))
        return True

    def render(self, width: int, height: int, question: str) -> list[Text]:
        """Return the visible rows, and a footer: the question once the end has been shown."""
        rows = self.rows(width)
        self._row_count, self._page_height = len(rows), max(1, height - 1)
        self._top = max(0, min(self._top, self._row_count - self._page_height))
        below = self._row_count - self._top - self._page_height
        self.end_was_seen |= below <= 0
        visible = rows[self._top : self._top + self._page_height]
        parts = [question] if self.end_was_seen else [f"{below} more below"]
        footer = Text("  ".join([*parts, *([_MORE] if self._row_count > self._page_height else [])]), "bold yellow")
        footer.truncate(width, overflow="ellipsis")
        return [*visible, *[Text()] * (self._page_height - len(visible)), footer]


def show(console: Console, lines: Sequence[Line], change_signal: Path, is_wanted: Callable[[], bool]) -> bool:
    """Show the lines until the user leaves, or `is_wanted` returns false. Return whether their end was shown."""
    view = RequestView(lines)
    with (
        full_screen(console, has_keys=True) as screen,
        closing(Wakeup([change_signal, screen.redraw_signal], descriptors=[sys.stdin.fileno()])) as wakeup,
    ):
        keyboard.discard_typed()
        while is_wanted():
            screen.draw(view.render(*console.size, "q: answer"))
            for key in keyboard.read_keys(0):
                if key in ("q", "escape"):
                    return view.end_was_seen
                view.press(key)
            screen.draw(view.render(*console.size, "q: answer"))
            wakeup.wait(POLL_SECONDS)
    return view.end_was_seen
