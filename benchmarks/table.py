"""A measurement as a table, for a terminal and for the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from benchmarks.goals import Aspect, Goal
from benchmarks.metric import Metric
from benchmarks.result import Result
from benchmarks.samples import Samples

_HEADINGS = ("What", "Measured: median (min–max)", "Against: median (min–max)", "Figure", "Goal", "Reached")
_LARGE = 100
_ENOUGH_FOR_P99 = 100


@dataclass(frozen=True)
class Row:
    measure: str
    cells: tuple[str, ...]


def render_text(measurement: Result) -> str:
    """Aligned columns."""
    rows = list(_rows(measurement.figures))
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *(row.cells for row in rows), strict=True)]
    lines = [f"{name}: {value}" for name, value in measurement.machine.items()]
    for measure, some in groupby(rows, key=lambda row: row.measure):
        lines += ["", measure.upper(), _aligned(_HEADINGS, widths), *(_aligned(row.cells, widths) for row in some)]
    return "\n".join([*lines, "", goal_summary(measurement.figures)])


def render_markdown(measurement: Result) -> str:
    rows = groupby(_rows(measurement.figures), key=lambda row: row.measure)
    lines = ["| | |", "| --- | --- |"]
    lines += [f"| {name} | {_escaped(value)} |" for name, value in measurement.machine.items()]
    for measure, some in rows:
        lines += ["", f"### {measure.capitalize()}", "", _line(_HEADINGS), _line(["---"] * len(_HEADINGS))]
        lines += [_line([_escaped(cell) for cell in row.cells]) for row in some]
    return "\n".join([*lines, "", goal_summary(measurement.figures)])


def goal_summary(figures: Sequence[Metric]) -> str:
    """How many goals are reached."""
    verdicts = [verdict for figure in figures for verdict in figure.verdicts()]
    missing = sum(len(figure.goals) for figure in figures) - len(verdicts)
    reached = sum(verdict.is_reached for verdict in verdicts)
    unmeasured = f", {missing} not measured" if missing else ""
    return f"{reached} goals reached, {len(verdicts) - reached} not reached{unmeasured}."


def format_number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= _LARGE else f"{value:.3g}"


def format_bound(goal: Goal, unit: str) -> str:
    return f"{goal.aspect} {'≥' if goal.at_least else '≤'} {_with_unit(goal.bound, goal.aspect, unit)}"


def _rows(figures: Sequence[Metric]) -> Iterator[Row]:
    for figure in figures:
        if figure.measured is None:
            goals = "; ".join(format_bound(goal, "") for goal in figure.goals)
            yield Row(figure.measure, (figure.name, "", "", "", goals, f"not measured: {figure.note}"))
            continue
        told = (figure.name, _told(figure.measured), _told(figure.against) if figure.against else "")
        verdicts = list(figure.verdicts())
        for verdict in verdicts:
            aspect = verdict.goal.aspect
            value = _valued(verdict.value, aspect, figure.measured.unit)
            reached = "reached" if verdict.is_reached else "not reached"
            yield Row(figure.measure, (*told, value, format_bound(verdict.goal, figure.measured.unit), reached))
        if not verdicts:
            yield Row(figure.measure, (*told, _without_a_goal(figure, figure.measured), "", ""))


def _without_a_goal(figure: Metric, measured: Samples) -> str:
    aspect = Aspect.P99 if figure.ratio is None and len(measured.values) >= _ENOUGH_FOR_P99 else Aspect.RATIO
    value = figure.value(aspect)
    return "" if value is None else _valued(value, aspect, measured.unit)


def _valued(value: float, aspect: Aspect, unit: str) -> str:
    return f"{aspect} {_with_unit(value, aspect, unit)}"


def _told(samples: Samples) -> str:
    spread = f" ({format_number(samples.lowest)}–{format_number(samples.highest)})" if len(samples.values) > 1 else ""
    return f"{samples.name}: {format_number(samples.median)} {samples.unit}{spread}"


def _with_unit(value: float, aspect: Aspect, unit: str) -> str:
    return format_number(value) if aspect == Aspect.RATIO or not unit else f"{format_number(value)} {unit}"


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
