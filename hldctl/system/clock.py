"""The current time, and its format in JSON and logs."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import overload


def current_time_ms() -> int:
    """Return the current time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@overload
def format_rfc3339(milliseconds: int) -> str: ...


@overload
def format_rfc3339(milliseconds: None) -> None: ...


@overload
def format_rfc3339(milliseconds: int | None) -> str | None: ...


def format_rfc3339(milliseconds: int | None) -> str | None:
    """Format milliseconds since 1970 as UTC, `2026-01-31T12:00:00.000Z`; None remains None."""
    if milliseconds is None:
        return None
    timestamp = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return timestamp.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"


def format_local_time(milliseconds: int) -> str:
    """Format milliseconds since 1970 for a person at this machine: local time, `2026-01-31 13:00:00`."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(milliseconds / 1000))
