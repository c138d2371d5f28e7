"""How long something took, in a word."""

from __future__ import annotations


def elapsed(milliseconds: float, *, tenths: bool = False) -> str:
    """`0.4s` (with `tenths`, below ten seconds), `42s`, `1m05s`, `2h07m`; a clock that was set back took no time."""
    seconds = max(0.0, milliseconds / 1000)
    if tenths and seconds < 9.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
