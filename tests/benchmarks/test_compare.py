"""Comparison of two results."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks import compare
from benchmarks.goals import Aspect, Goal, median_at_least, ratio
from benchmarks.metric import Metric
from benchmarks.result import Result
from benchmarks.samples import Samples

ROOT = Path(__file__).parents[2]


def metric(name: str, *values: float, against: tuple[float, ...] = (), goals: tuple[Goal, ...] = ()) -> Metric:
    baseline = Samples("baseline", "ms", against) if against else None
    return Metric(name, Samples(name, "ms", values), baseline, bool(against), "", "commands", goals)


def result(*metrics: Metric, kernel: str = "Linux 6") -> Result:
    return Result({"kernel": kernel}, metrics)


def test_metric_with_goal_is_compared_by_its_goals_aspect() -> None:
    before = result(metric("ls", 100, 100, against=(50, 50), goals=(ratio(1.25),)))
    after = result(metric("ls", 60, 60, against=(60, 60), goals=(ratio(1.25),)))
    (change,) = compare.compare_results(before, after)
    assert (change.aspect, change.before, change.after, change.factor) == (Aspect.RATIO, 2, 1, 0.5)
    assert change.goal_change == "now reached"


def test_goal_no_longer_reached_is_reported() -> None:
    before, after = (result(metric("rate", value, goals=(median_at_least(30),))) for value in (31, 29))
    assert [change.goal_change for change in compare.compare_results(before, after)] == ["no longer reached"]


def test_metric_without_goal_is_compared_by_ratio_or_median() -> None:
    before = result(metric("one", 4, against=(2,)), metric("other", 3))
    after = result(metric("one", 9, against=(3,)), metric("other", 6))
    changes = [(change.name, change.aspect, change.factor) for change in compare.compare_results(before, after)]
    assert changes == [("one", Aspect.RATIO, 1.5), ("other", Aspect.MEDIAN, 2)]


def test_metrics_in_only_one_result_are_listed() -> None:
    before, after = result(metric("one", 1)), result(metric("other", 1))
    assert compare.only_in_one(before, after) == ["commands: one", "commands: other"]


def test_compare_command_reports_differences_of_the_machines(tmp_path: Path) -> None:
    files = [tmp_path / "before.json", tmp_path / "after.json"]
    for file, kernel in zip(files, ("Linux 6", "Linux 7"), strict=True):
        result(metric("ls", 0), metric("show", 2), kernel=kernel).write(file)
    argv = [sys.executable, "-m", "benchmarks.compare", *map(str, files)]
    lines = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=True).stdout.splitlines()
    assert lines[0] == "kernel differs: Linux 6, then Linux 7"
    assert lines[1].split("  ")[0] == "Metric"
    assert [line.split() for line in lines[2:]] == [
        ["commands:", "ls", "median", "0", "0"],
        ["commands:", "show", "median", "2", "2", "1.00"],
    ]
