"""Compare two results: `python -m benchmarks.compare BEFORE AFTER`.

Metrics that were measured against something are compared by their ratios, which can be compared between machines and
days. All others are compared by their medians, which cannot.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.goals import Aspect
from benchmarks.metric import Metric
from benchmarks.result import InvalidResult, Result
from benchmarks.table import format_number

_SAME_MACHINE = ("Claude Code", "Python", "SQLite", "kernel", "processor")


@dataclass(frozen=True)
class Change:
    benchmark: str
    name: str
    aspect: Aspect
    before: float
    after: float
    goal_change: str
    """Whether a goal is now reached or no longer reached; empty if this did not change."""

    @property
    def factor(self) -> float | None:
        return self.after / self.before if self.before else None


def compare_results(before: Result, after: Result) -> Iterator[Change]:
    """Yield the changes of each metric that is in both: the aspects of its goals, else its ratio, else its median."""
    old_metrics = {(metric.benchmark, metric.name): metric for metric in before.metrics}
    for metric in after.metrics:
        old = old_metrics.get((metric.benchmark, metric.name))
        if old is not None:
            yield from _compare_metrics(old, metric)


def only_in_one(before: Result, after: Result) -> list[str]:
    """Return the names of the metrics that only one of the two results has."""
    names = [
        {f"{metric.benchmark}: {metric.name}" for metric in result.metrics if metric.measured}
        for result in (before, after)
    ]
    return sorted(names[0] ^ names[1])


def render_lines(before: Result, after: Result) -> Iterator[str]:
    for name in _SAME_MACHINE:
        values = [result.machine.get(name, "unknown") for result in (before, after)]
        if values[0] != values[1]:
            yield f"{name} differs: {values[0]}, then {values[1]}"
    rows = [("Metric", "", "Before", "After", "After / before", "Goal")]
    for change in compare_results(before, after):
        factor = "" if change.factor is None else f"{change.factor:.2f}"
        cells = (
            f"{change.benchmark}: {change.name}",
            str(change.aspect),
            format_number(change.before),
            format_number(change.after),
        )
        rows.append((*cells, factor, change.goal_change))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield from (f"only in one of the two results: {name}" for name in only_in_one(before, after))


def _compare_metrics(old: Metric, new: Metric) -> Iterator[Change]:
    for aspect in _aspects(new):
        before, after = old.value(aspect), new.value(aspect)
        if before is not None and after is not None:
            yield Change(new.benchmark, new.name, aspect, before, after, _goal_change(new, aspect, before, after))


def _aspects(metric: Metric) -> list[Aspect]:
    if metric.goals:
        return [goal.aspect for goal in metric.goals]
    return [Aspect.MEDIAN if metric.ratio is None else Aspect.RATIO]


def _goal_change(metric: Metric, aspect: Aspect, before: float, after: float) -> str:
    goal = next((goal for goal in metric.goals if goal.aspect == aspect), None)
    if goal is None or goal.is_reached(before) == goal.is_reached(after):
        return ""
    return "now reached" if goal.is_reached(after) else "no longer reached"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    files = parser.parse_args()
    try:
        print("\n".join(render_lines(Result.read(files.before), Result.read(files.after))))
    except InvalidResult as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
