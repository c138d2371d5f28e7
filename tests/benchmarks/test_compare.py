"""Two measurements side by side."""

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


def figure(name: str, *values: float, against: tuple[float, ...] = (), goals: tuple[Goal, ...] = ()) -> Metric:
    floor = Samples("floor", "ms", against) if against else None
    return Metric(name, Samples(name, "ms", values), floor, bool(against), "", "commands", goals)


def measurement(*figures: Metric, kernel: str = "Linux 6") -> Result:
    return Result({"kernel": kernel}, figures)


def test_what_has_a_goal_is_compared_by_what_that_is_about() -> None:
    before = measurement(figure("ls", 100, 100, against=(50, 50), goals=(ratio(1.25),)))
    after = measurement(figure("ls", 60, 60, against=(60, 60), goals=(ratio(1.25),)))
    (change,) = compare.compare_results(before, after)
    assert (change.aspect, change.before, change.after, change.factor) == (Aspect.RATIO, 2, 1, 0.5)
    assert change.crossed == "now reached"


def test_a_goal_that_is_lost_is_told() -> None:
    before, after = (measurement(figure("rate", value, goals=(median_at_least(30),))) for value in (31, 29))
    assert [change.crossed for change in compare.compare_results(before, after)] == ["no longer reached"]


def test_without_a_goal_it_is_the_ratio_and_without_a_floor_the_median() -> None:
    before = measurement(figure("one", 4, against=(2,)), figure("other", 3))
    after = measurement(figure("one", 9, against=(3,)), figure("other", 6))
    told = [(change.name, change.aspect, change.factor) for change in compare.compare_results(before, after)]
    assert told == [("one", Aspect.RATIO, 1.5), ("other", Aspect.MEDIAN, 2)]


def test_what_is_in_one_of_them_only_is_named() -> None:
    before, after = measurement(figure("one", 1)), measurement(figure("other", 1))
    assert compare.only_in_one(before, after) == ["commands: one", "commands: other"]


def test_the_command_says_where_the_machines_differ(tmp_path: Path) -> None:
    files = [tmp_path / "before.json", tmp_path / "after.json"]
    for file, kernel in zip(files, ("Linux 6", "Linux 7"), strict=True):
        measurement(figure("ls", 0), figure("show", 2), kernel=kernel).write(file)
    words = [sys.executable, "-m", "benchmarks.compare", *map(str, files)]
    lines = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=True).stdout.splitlines()
    assert lines[0] == "kernel differs: Linux 6, then Linux 7"
    assert lines[1].split("  ")[0] == "What"
    assert [line.split() for line in lines[2:]] == [
        ["commands:", "ls", "median", "0", "0"],
        ["commands:", "show", "median", "2", "2", "1.00"],
    ]
