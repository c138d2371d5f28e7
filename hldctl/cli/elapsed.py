"""How long something took, in a word."""

from __future__ import annotations

from hldctl.cli.age import clock


def elapsed(milliseconds: float, *, tenths: bool = False) -> str:
    """`0.4s` (with `tenths`, below ten seconds), `42s`, `1m05s`, `2h07m`; a clock that was set back took no time."""
    seconds = max(0.0, milliseconds / 1000)
    return f"{seconds:.1f}s" if tenths and seconds < 9.95 else clock(seconds, days=False)
