"""Durations as users write them."""

from __future__ import annotations

import re

from hldctl.errors import BadUsage

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_LONGEST = 100 * 366 * 86400
_FORM = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


def seconds(text: str) -> float:
    """`90`, `90s`, `15m`, `2h`, `1h30m` or `7d` in seconds; raises BadUsage for anything else."""
    match = _FORM.fullmatch(text.strip())
    if not text.strip() or match is None:
        raise BadUsage(f"{text!r} is no duration; write 90, 90s, 15m, 2h, 1h30m or 7d.")
    total = sum(int(count or 0) * unit for count, unit in zip(match.groups(), _UNITS.values(), strict=True))
    if total > _LONGEST:
        raise BadUsage(f"{text!r} is longer than a century.")
    return float(total)


def limit(text: str) -> float:
    """A duration in which something can happen; raises BadUsage for any other."""
    length = seconds(text)
    if length == 0:
        raise BadUsage("it must be longer than nothing.")
    return length
