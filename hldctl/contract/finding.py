"""The JSON object of a finding of `doctor`."""

from __future__ import annotations

from enum import StrEnum
from typing import TypedDict


class Level(StrEnum):
    OK = "ok"
    NOTE = "note"
    """Not a problem, but possibly a surprise."""
    WARNING = "warning"
    ERROR = "error"


class FindingObject(TypedDict):
    """The result of one check."""

    subject: str
    """What was checked."""
    level: Level
    """How bad it is."""
    message: str
    """What was found."""
    advice: str | None
    """What to do; null if nothing has to be done."""
    fixable: bool
    """True if `doctor --fix` can fix it."""
    fixed: bool
    """True if it was fixed."""
