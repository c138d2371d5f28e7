"""How much of a conversation is shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Detail(StrEnum):
    NONE = "none"
    BRIEF = "brief"
    FULL = "full"


@dataclass(frozen=True)
class Shown:
    """What the options said; None where they said nothing."""

    thinking: Detail | None = None
    tools: Detail | None = None
    live: bool = False
    """Text while it is being written."""
