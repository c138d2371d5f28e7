"""How long ago, in a word."""

from __future__ import annotations


def age(elapsed: float) -> str:
    """Of seconds: `42s`, `5m`, `3h` or `12d`."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if elapsed >= length:
            return f"{int(elapsed // length)}{unit}"
    return f"{max(0, int(elapsed))}s"


def clock(elapsed: float) -> str:
    """Of seconds, in two units: `42s`, `4m12s`, `2h05m` or `3d04h`; for what runs, or how long it ran."""
    seconds = max(0, int(elapsed))
    for (unit, length), (smaller, part) in (
        (("d", 86400), ("h", 3600)),
        (("h", 3600), ("m", 60)),
        (("m", 60), ("s", 1)),
    ):
        if seconds >= length:
            return f"{seconds // length}{unit}{seconds % length // part:02d}{smaller}"
    return f"{seconds}s"
