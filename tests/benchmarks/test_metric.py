"""Ratios, quantiles and goals of metrics."""

from __future__ import annotations

import json

import pytest

from benchmarks.catalog import BENCHMARKS
from benchmarks.goals import GOALS, Aspect, Goal, median, median_at_least, p99, ratio
from benchmarks.metric import Metric
from benchmarks.samples import Samples


def samples(*values: float) -> Samples:
    return Samples("hldctl ls", "ms", values)


def test_ratio_of_pairs_is_their_median_and_ignores_one_outlier() -> None:
    metric = Metric("ls", samples(10, 40, 12), samples(5, 20, 4), paired=True)
    assert metric.ratio == 2
    assert metric.value(Aspect.MEDIAN) == 12


def test_unpaired_samples_are_compared_by_their_medians() -> None:
    assert Metric("ls", samples(10, 12, 14, 16), samples(5, 6, 7)).ratio == 13 / 6


def test_quantile_is_a_measured_value() -> None:
    hundred = samples(*range(100, 0, -1))
    assert (hundred.quantile(0.99), hundred.quantile(1), samples(7).quantile(0.99)) == (99, 100, 7)
    assert (hundred.lowest, hundred.median, hundred.highest) == (1, 50.5, 100)


@pytest.mark.parametrize(
    ("goal", "is_reached"),
    [(ratio(2), True), (ratio(1.9), False), (median(12), True), (p99(39), False), (median_at_least(13), False)],
)
def test_goal_is_reached_up_to_its_bound(goal: Goal, is_reached: bool) -> None:
    metric = Metric("ls", samples(10, 40, 12), samples(5, 20, 4), paired=True, goals=(goal,))
    assert [verdict.is_reached for verdict in metric.verdicts()] == [is_reached]


def test_unmeasured_metric_has_no_verdicts() -> None:
    assert list(Metric("ls", None, goals=(ratio(2),), note="no Claude Code").verdicts()) == []


def test_metric_survives_a_round_trip_through_json() -> None:
    for metric in (
        Metric("ls", samples(1, 2), samples(3, 4), paired=True, benchmark="commands", goals=(ratio(1.25), p99(3))),
        Metric("show", None, note="no Claude Code", benchmark="peers", goals=(ratio(1),)),
    ):
        assert Metric.from_json(json.loads(json.dumps(metric.as_json()))) == metric


def test_old_name_of_a_benchmark_is_still_read() -> None:
    fields = Metric("raw inserts", samples(1, 2), benchmark="baselines").as_json()
    assert Metric.from_json({**fields, "measure": "floors"}).benchmark == "baselines"


def test_goals_belong_to_existing_benchmarks() -> None:
    assert GOALS.keys() <= BENCHMARKS.keys()
