"""Ages, durations, timestamps, amounts and paths as short text."""

from __future__ import annotations

import itertools
import os
import time
from typing import NamedTuple

from hldctl.system.clock import format_rfc3339

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_INSTANT_MS = 50


def age(elapsed: float) -> str:
    """Return a number of seconds in one unit: `42s`, `5m`, `3h` or `12d`."""
    for unit, length in _UNITS[:-1]:
        if elapsed >= length:
            return f"{int(elapsed // length)}{unit}"
    return f"{max(0, int(elapsed))}s"


def clock(elapsed: float, *, days: bool = True) -> str:
    """Return a number of seconds in two units: `42s`, `4m12s`, `2h05m` or `3d04h` (`76h00m` without days)."""
    seconds = max(0, int(elapsed))
    for (unit, length), (smaller, part) in itertools.pairwise(_UNITS if days else _UNITS[1:]):
        if seconds >= length:
            return f"{seconds // length}{unit}{seconds % length // part:02d}{smaller}"
    return f"{seconds}s"


def time_of_day(milliseconds: int) -> str:
    """Return the local time of a moment in milliseconds since 1970: `14:00`, with the date unless it is today."""
    moment = time.localtime(milliseconds / 1000)
    is_today = moment[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M", moment)


def format_duration(milliseconds: float, *, tenths: bool = False) -> str:
    """Return `0.4s` (with `tenths`), `42s`, `1m05s` or `2h07m`.

    Tenths are for less than ten seconds. A negative duration, after the clock was set back, is zero.
    """
    seconds = max(0.0, milliseconds / 1000)
    return f"{seconds:.1f}s" if tenths and seconds < 9.95 else clock(seconds, days=False)


def noticeable_duration(milliseconds: float) -> str:
    """Return a duration with tenths of a second; empty below `_INSTANT_MS`."""
    return format_duration(milliseconds, tenths=True) if milliseconds >= _INSTANT_MS else ""


class Timestamp(NamedTuple):
    """A point in time, formatted in UTC: documents are read anywhere."""

    milliseconds: int
    """Milliseconds since 1970."""

    @property
    def iso(self) -> str:
        return format_rfc3339(self.milliseconds) or ""

    @property
    def day(self) -> str:
        return self.iso[:10]

    @property
    def clock(self) -> str:
        return self.iso[11:19]

    @property
    def text(self) -> str:
        return f"{self.day} {self.iso[11:16]} UTC"


def dollars(amount: float | None) -> str:
    """Return the amount with cents; empty if None."""
    return "" if amount is None else f"${amount:,.2f}"


def percent(share: float | None) -> str:
    """Return a percentage, 0% and 100% only if exact; empty if None."""
    if share is None:
        return ""
    lower, upper = int(share > 0), 100 - int(share < 1)
    return f"{min(max(round(share * 100), lower), upper)}%"


def count(number: int | None) -> str:
    """Return `950`, `12.3k` or `4.5M`; empty if None."""
    if number is None:
        return ""
    size, units = float(number), iter("kMGT")
    unit = ""
    while abs(size) >= 999.5 and (larger := next(units, "")):
        size, unit = size / 1000, larger
    return f"{size:.0f}{unit}" if not unit or abs(size) >= 99.95 else f"{size:.1f}{unit}"


def compact_count(number: int) -> str:
    """Return `950`, `1k`, `123.4k` or `4.5M`: for running text, while `count` is for columns of a fixed width."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if number >= size:
            return f"{number / size:.1f}".removesuffix(".0") + unit
    return str(number)


def compact_duration(milliseconds: int | None) -> str:
    """Return `42s`, `5m10s`, `3h05m` or `12d04h`; empty if None."""
    return "" if milliseconds is None else clock(milliseconds / 1000)


def abbreviate_home(path: str) -> str:
    """Return the path with the user's home directory as `~`."""
    home = os.path.expanduser("~")
    return f"~{path[len(home) :]}" if f"{path}/".startswith(f"{home}/") else path
