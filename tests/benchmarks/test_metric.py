"""What is made of the numbers that were measured."""

from __future__ import annotations

import json

import pytest

from benchmarks.catalog import BENCHMARKS
from benchmarks.goals import GOALS, Aspect, Goal, median, median_at_least, p99, ratio
from benchmarks.metric import Metric
from benchmarks.samples import Samples


def samples(*values: float) -> Samples:
    return Samples("hldctl ls", "ms", values)


def test_a_ratio_is_the_median_of_the_pairs_which_one_slow_moment_does_not_move() -> None:
    figure = Metric("ls", samples(10, 40, 12), samples(5, 20, 4), paired=True)
    assert figure.ratio == 2
    assert figure.value(Aspect.MEDIAN) == 12


def test_what_is_not_paired_is_compared_by_its_medians() -> None:
    assert Metric("ls", samples(10, 12, 14, 16), samples(5, 6, 7)).ratio == 13 / 6


def test_a_quantile_is_a_value_that_was_measured() -> None:
    hundred = samples(*range(100, 0, -1))
    assert (hundred.quantile(0.99), hundred.quantile(1), samples(7).quantile(0.99)) == (99, 100, 7)
    assert (hundred.lowest, hundred.median, hundred.highest) == (1, 50.5, 100)


@pytest.mark.parametrize(
    ("goal", "is_reached"),
    [(ratio(2), True), (ratio(1.9), False), (median(12), True), (p99(39), False), (median_at_least(13), False)],
)
def test_a_goal_is_reached_up_to_its_bound(goal: Goal, is_reached: bool) -> None:
    figure = Metric("ls", samples(10, 40, 12), samples(5, 20, 4), paired=True, goals=(goal,))
    assert [verdict.is_reached for verdict in figure.verdicts()] == [is_reached]


def test_what_was_not_measured_reaches_no_goal() -> None:
    assert list(Metric("ls", None, goals=(ratio(2),), note="no Claude Code").verdicts()) == []


def test_a_figure_is_the_same_after_it_was_written() -> None:
    for figure in (
        Metric("ls", samples(1, 2), samples(3, 4), paired=True, measure="commands", goals=(ratio(1.25), p99(3))),
        Metric("show", None, note="no Claude Code", measure="peers", goals=(ratio(1),)),
    ):
        assert Metric.from_json(json.loads(json.dumps(figure.as_json()))) == figure


def test_goals_are_those_of_measures_that_exist() -> None:
    assert GOALS.keys() <= BENCHMARKS.keys()
