"""Two measurements side by side: `python -m benchmarks.compare BEFORE AFTER`.

What was measured against something is compared by its ratios, which two machines or two days leave as they are; the
rest by its medians, which they don't.
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
    measure: str
    name: str
    aspect: Aspect
    before: float
    after: float
    crossed: str
    """What became of a goal: empty where it is as it was."""

    @property
    def factor(self) -> float | None:
        return self.after / self.before if self.before else None


def compare_results(before: Result, after: Result) -> Iterator[Change]:
    """Of each figure that is in both: what its goals are about, else its ratio, else its median."""
    known = {(figure.measure, figure.name): figure for figure in before.figures}
    for figure in after.figures:
        old = known.get((figure.measure, figure.name))
        if old is not None:
            yield from _changes(old, figure)


def only_in_one(before: Result, after: Result) -> list[str]:
    """What is measured in one of them alone."""
    names = [
        {f"{figure.measure}: {figure.name}" for figure in one.figures if figure.measured} for one in (before, after)
    ]
    return sorted(names[0] ^ names[1])


def render_lines(before: Result, after: Result) -> Iterator[str]:
    for name in _SAME_MACHINE:
        values = [one.machine.get(name, "unknown") for one in (before, after)]
        if values[0] != values[1]:
            yield f"{name} differs: {values[0]}, then {values[1]}"
    rows = [("What", "", "Before", "After", "After / before", "Goal")]
    for change in compare_results(before, after):
        factor = "" if change.factor is None else f"{change.factor:.2f}"
        told = (
            f"{change.measure}: {change.name}",
            str(change.aspect),
            format_number(change.before),
            format_number(change.after),
        )
        rows.append((*told, factor, change.crossed))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield from (f"in one of them only: {name}" for name in only_in_one(before, after))


def _changes(old: Metric, new: Metric) -> Iterator[Change]:
    for aspect in _aspects(new):
        before, after = old.value(aspect), new.value(aspect)
        if before is not None and after is not None:
            yield Change(new.measure, new.name, aspect, before, after, _crossed(new, aspect, before, after))


def _aspects(figure: Metric) -> list[Aspect]:
    if figure.goals:
        return [goal.aspect for goal in figure.goals]
    return [Aspect.MEDIAN if figure.ratio is None else Aspect.RATIO]


def _crossed(figure: Metric, aspect: Aspect, before: float, after: float) -> str:
    goal = next((goal for goal in figure.goals if goal.aspect == aspect), None)
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
