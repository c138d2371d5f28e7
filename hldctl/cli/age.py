"""How long ago, in a word."""

from __future__ import annotations

import itertools

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def age(elapsed: float) -> str:
    """Of seconds: `42s`, `5m`, `3h` or `12d`."""
    for unit, length in _UNITS[:-1]:
        if elapsed >= length:
            return f"{int(elapsed // length)}{unit}"
    return f"{max(0, int(elapsed))}s"


def clock(elapsed: float, *, days: bool = True) -> str:
    """Of seconds, in two units: `42s`, `4m12s`, `2h05m` or `3d04h` (`76h00m` without days); for what runs, or ran."""
    seconds = max(0, int(elapsed))
    for (unit, length), (smaller, part) in itertools.pairwise(_UNITS if days else _UNITS[1:]):
        if seconds >= length:
            return f"{seconds // length}{unit}{seconds % length // part:02d}{smaller}"
    return f"{seconds}s"
