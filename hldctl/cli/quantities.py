"""Amounts, short enough for a table."""

from __future__ import annotations

from hldctl.cli.age import clock


def dollars(amount: float | None) -> str:
    return "" if amount is None else f"${amount:,.2f}"


def percent(share: float | None) -> str:
    """Nothing is called all, or none, that is not."""
    if share is None:
        return ""
    least, most = int(share > 0), 100 - int(share < 1)
    return f"{min(max(round(share * 100), least), most)}%"


def count(number: int | None) -> str:
    """`950`, `12.3k`, `4.5M`."""
    if number is None:
        return ""
    size, units = float(number), iter("kMGT")
    unit = ""
    while abs(size) >= 999.5 and (larger := next(units, "")):
        size, unit = size / 1000, larger
    return f"{size:.0f}{unit}" if not unit or abs(size) >= 99.95 else f"{size:.1f}{unit}"


def elapsed(milliseconds: int | None) -> str:
    """`42s`, `5m10s`, `3h05m` or `12d04h`: two units at the most."""
    return "" if milliseconds is None else clock(milliseconds / 1000)
