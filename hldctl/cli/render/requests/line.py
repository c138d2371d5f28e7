"""A line of a permission request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hldctl.cli import output

_STYLES: dict[str, dict[str, Any]] = {
    "": {},
    "bold": {"bold": True},
    "dim": {"dim": True},
    "green": {"fg": "green"},
    "red": {"fg": "red"},
    "yellow": {"fg": "yellow"},
}


@dataclass(frozen=True)
class Line:
    """A line of a request. It may be wider than the terminal; all invisible characters in it are escaped."""

    text: str
    style: str = ""

    @property
    def printed(self) -> str:
        """Return the line in its style, for `print`."""
        return output.style(self.text, **_STYLES[self.style])
