"""Durations as users write them."""

from __future__ import annotations

import re

from hldctl.errors import BadUsage

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_MAX_SECONDS = 100 * 366 * 86400
_PATTERN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


def parse_seconds(text: str) -> float:
    """Return `90`, `90s`, `15m`, `2h`, `1h30m` or `7d` in seconds. Raise BadUsage for anything else."""
    match = _PATTERN.fullmatch(text.strip())
    if not text.strip() or match is None:
        raise BadUsage(f"{text!r} is not a duration; write 90, 90s, 15m, 2h, 1h30m or 7d.")
    total = sum(int(count or 0) * unit for count, unit in zip(match.groups(), _UNITS.values(), strict=True))
    if total > _MAX_SECONDS:
        raise BadUsage(f"{text!r} is longer than a century.")
    return float(total)


def parse_age_seconds(text: str) -> float:
    """Return the age from which something is deleted, in seconds. Raise BadUsage for a number without a unit, except 0.

    A bare number is in seconds elsewhere, but `30` here would delete what somebody who means days wants to keep.
    """
    seconds = parse_seconds(text)
    if seconds and text.strip()[-1].isdigit():
        raise BadUsage(f"{text!r} has no unit; write {text.strip()}d for days, or h, m or s.")
    return seconds


def parse_timeout_seconds(text: str) -> float:
    """Return a duration for use as a timeout, in seconds. Raise BadUsage if it is zero or not a duration."""
    timeout_seconds = parse_seconds(text)
    if timeout_seconds == 0:
        raise BadUsage("must be greater than zero.")
    return timeout_seconds


def to_text(milliseconds: int) -> str:
    """Return a duration as a user writes it, such as `1h30m`; parts below a second are dropped."""
    rest, text = milliseconds // 1000, ""
    for unit, seconds in _UNITS.items():
        count, rest = divmod(rest, seconds)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
