"""How long ago, in a word."""

from __future__ import annotations


def age(elapsed: float) -> str:
    """Of seconds: `42s`, `5m`, `3h` or `12d`."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if elapsed >= length:
            return f"{int(elapsed // length)}{unit}"
    return f"{max(0, int(elapsed))}s"
