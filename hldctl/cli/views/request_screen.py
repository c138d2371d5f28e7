"""A permission request on a screen of its own: what does not fit is scrolled, and it is known what was seen."""

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
from hldctl.sessions.wait import LOOK_SECONDS
from hldctl.system.watcher import Wakeup

_FAR = 1 << 30
_STEPS = {"up": -1, "k": -1, "down": 1, "j": 1, "\n": 1, "home": -_FAR, "g": -_FAR, "end": _FAR, "G": _FAR}
_PAGES = {"page up": -1, "b": -1, "page down": 1, " ": 1}
_MORE = "↑↓, space, end: scroll"


class RequestView:
    """The lines, as far as they have been scrolled."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.end_was_seen = False
        self._lines = lines
        self._first = 0
        self._room = self._count = 1
        self._wrapped: tuple[int, list[Text]] | None = None

    def rows(self, width: int) -> list[Text]:
        # Wrapped once: a megabyte takes a second.
        if self._wrapped is None or self._wrapped[0] != width:
            self._wrapped = (width, list(wrap.rows(self._lines, width)))
        return self._wrapped[1]

    def press(self, key: str) -> bool:
        """Scroll, if the key does that; say whether it does."""
        if (step := _STEPS.get(key, _PAGES.get(key, 0) * max(1, self._room - 1))) == 0:
            return False
        self._first = max(0, min(self._first + step, self._count - self._room))
        return True

    def drawn(self, width: int, height: int, question: str) -> list[Text]:
        """Return as many rows as there is room for, and below them what is asked once the end has been shown."""
        wrapped = self.rows(width)
        self._count, self._room = len(wrapped), max(1, height - 1)
        self._first = max(0, min(self._first, self._count - self._room))
        below = self._count - self._first - self._room
        self.end_was_seen |= below <= 0
        shown = wrapped[self._first : self._first + self._room]
        words = [question] if self.end_was_seen else [f"{below} more below"]
        footer = Text("  ".join([*words, *([_MORE] if self._count > self._room else [])]), "bold yellow")
        footer.truncate(width, overflow="ellipsis")
        return [*shown, *[Text()] * (self._room - len(shown)), footer]


def show(console: Console, lines: Sequence[Line], changed: Path, is_wanted: Callable[[], bool]) -> bool:
    """Show them until somebody leaves or nobody wants an answer any more; say whether their end was seen."""
    view = RequestView(lines)
    with (
        full_screen(console, has_keys=True) as screen,
        closing(Wakeup([changed, screen.stirred], descriptors=[sys.stdin.fileno()])) as wakeup,
    ):
        keyboard.discard_typed()
        while is_wanted():
            screen.draw(view.drawn(*console.size, "q: answer it"))
            for key in keyboard.pressed(0):
                if key in ("q", "escape"):
                    return view.end_was_seen
                view.press(key)
            screen.draw(view.drawn(*console.size, "q: answer it"))
            wakeup.wait(LOOK_SECONDS)
    return view.end_was_seen
