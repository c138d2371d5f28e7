"""Calendar periods in local time: days, weeks that begin on Monday, and months."""

from __future__ import annotations

import time
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

# A change of the clock moves midnight by less than this.
_MAX_SHIFT_SECONDS = 4 * 3600


class Period(StrEnum):
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class Span(NamedTuple):
    """A span of time in milliseconds since 1970; `until` is not part of it."""

    since: int
    until: int


def span_of(period: Period, now_ms: int) -> Span:
    """Return the day, week or month that contains this time, in the time zone of this process.

    A day with a change of daylight-saving time has 23 or 25 hours.
    """
    today = date(*time.localtime(now_ms / 1000)[:3])
    first, next_first = _dates(period, today)
    return Span(_start_ms(first), _start_ms(next_first))


def _dates(period: Period, day: date) -> tuple[date, date]:
    """Return the first day of the period that contains this day, and that of the next period."""
    match period:
        case Period.DAILY:
            return day, day + timedelta(days=1)
        case Period.WEEKLY:
            monday = day - timedelta(days=day.weekday())
            return monday, monday + timedelta(days=7)
        case Period.MONTHLY:
            return day.replace(day=1), (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def _start_ms(day: date) -> int:
    """Return the first instant of a local day.

    It is not always the one that `mktime` returns: midnight may not exist, or come twice.
    """
    guess = int(time.mktime((day.year, day.month, day.day, 0, 0, 0, 0, 0, -1)))
    low, high = guess - _MAX_SHIFT_SECONDS, guess + _MAX_SHIFT_SECONDS
    while high - low > 1:
        middle = (low + high) // 2
        if date(*time.localtime(middle)[:3]) < day:
            low = middle
        else:
            high = middle
    return high * 1000
