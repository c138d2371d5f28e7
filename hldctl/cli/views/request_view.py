"""The lines of a permission request in a window that scrolls, and records whether the end was shown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from hldctl.cli.render import wrap
from hldctl.cli.render.requests.line import Line

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

    def window(self, width: int, height: int) -> tuple[list[Text], int]:
        """Return the visible rows, at most `height`, and how many rows are below them."""
        rows = self.rows(width)
        self._row_count, self._page_height = len(rows), max(1, height)
        self._top = max(0, min(self._top, self._row_count - self._page_height))
        below = max(0, self._row_count - self._top - self._page_height)
        self.end_was_seen |= below == 0
        return rows[self._top : self._top + self._page_height], below

    def render(self, width: int, height: int, question: str) -> list[Text]:
        """Return the visible rows, and a footer: the question once the end has been shown."""
        visible, below = self.window(width, height - 1)
        parts = [question] if self.end_was_seen else [f"{below} more below"]
        footer = Text("  ".join([*parts, *([_MORE] if self._row_count > self._page_height else [])]), "bold yellow")
        footer.truncate(width, overflow="ellipsis")
        return [*visible, *[Text()] * (self._page_height - len(visible)), footer]
