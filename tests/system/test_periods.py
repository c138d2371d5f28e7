"""Local days, weeks and months, also at a change of the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from hldctl.system.periods import Period, span_of

HOUR_MS = 3_600_000


@pytest.fixture
def local_zone(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[ZoneInfo]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield ZoneInfo(request.param)
    monkeypatch.undo()
    time.tzset()


in_berlin = pytest.mark.parametrize("local_zone", ["Europe/Berlin"], indirect=True)


def ms(zone: ZoneInfo, *fields: int, fold: int = 0) -> int:
    return int(datetime(*fields, tzinfo=zone, fold=fold).timestamp() * 1000)  # type: ignore[misc,arg-type]  # a date


@in_berlin
@pytest.mark.parametrize(
    ("period", "first", "next_first"),
    [
        (Period.DAILY, (2026, 11, 29), (2026, 11, 30)),
        (Period.WEEKLY, (2026, 11, 23), (2026, 11, 30)),
        (Period.MONTHLY, (2026, 11, 1), (2026, 12, 1)),
    ],
)
def test_span_contains_all_of_its_period(
    local_zone: ZoneInfo, period: Period, first: tuple[int, ...], next_first: tuple[int, ...]
) -> None:
    expected = (ms(local_zone, *first), ms(local_zone, *next_first))
    # A Sunday, at its last moment.
    assert span_of(period, ms(local_zone, 2026, 11, 30) - 1) == expected
    assert span_of(period, expected[0]) == expected
    assert span_of(period, expected[1]).since == expected[1]


@in_berlin
@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 10, 26), 24)])
def test_day_of_a_clock_change_has_23_or_25_hours(local_zone: ZoneInfo, day: tuple[int, ...], hours: int) -> None:
    for hour in (0, 1, 4, 23):
        span = span_of(Period.DAILY, ms(local_zone, *day, hour))
        assert (span.since, span.until - span.since) == (ms(local_zone, *day), hours * HOUR_MS)


@in_berlin
def test_hour_that_comes_twice_is_in_one_day(local_zone: ZoneInfo) -> None:
    first, second = (ms(local_zone, 2026, 10, 25, 2, 30, fold=fold) for fold in (0, 1))
    assert second - first == HOUR_MS
    assert span_of(Period.DAILY, first) == span_of(Period.DAILY, second)


@in_berlin
def test_week_and_month_of_a_clock_change(local_zone: ZoneInfo) -> None:
    now = ms(local_zone, 2026, 3, 29, 12)
    week, month = span_of(Period.WEEKLY, now), span_of(Period.MONTHLY, now)
    assert week.until - week.since == (7 * 24 - 1) * HOUR_MS
    assert month == (ms(local_zone, 2026, 3, 1), ms(local_zone, 2026, 4, 1))


@pytest.mark.parametrize(
    ("local_zone", "day", "hours"),
    [
        # The clock goes from 24:00 to 01:00, so that the day has no midnight.
        ("America/Santiago", (2026, 9, 6), 23),
        # The clock goes back from 24:00 to 23:00.
        ("America/Santiago", (2026, 4, 4), 25),
        # The clock goes back from 01:00 to 00:00, so that midnight comes twice.
        ("America/Havana", (2026, 11, 1), 25),
        ("Australia/Lord_Howe", (2026, 4, 5), 24.5),
    ],
    indirect=["local_zone"],
)
def test_clock_change_at_midnight(local_zone: ZoneInfo, day: tuple[int, ...], hours: float) -> None:
    noon = ms(local_zone, *day, 12)
    span = span_of(Period.DAILY, noon)
    assert span.until - span.since == hours * HOUR_MS
    assert span_of(Period.DAILY, span.since) == span_of(Period.DAILY, span.until - 1) == span
    assert span_of(Period.DAILY, span.since - 1).until == span.since
    assert span_of(Period.DAILY, span.until).since == span.until


@pytest.mark.parametrize("local_zone", ["UTC"], indirect=True)
def test_months_and_weeks_cross_the_end_of_a_year(local_zone: ZoneInfo) -> None:
    now = ms(local_zone, 2026, 12, 31, 23, 59)
    assert span_of(Period.MONTHLY, now) == (ms(local_zone, 2026, 12, 1), ms(local_zone, 2027, 1, 1))
    assert span_of(Period.WEEKLY, now) == (ms(local_zone, 2026, 12, 28), ms(local_zone, 2027, 1, 4))
