"""A result as a table, for a terminal and for the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from benchmarks.goals import Aspect, Goal
from benchmarks.metric import Metric
from benchmarks.result import Result
from benchmarks.samples import Samples

_HEADINGS = ("Metric", "Measured: median (min–max)", "Against: median (min–max)", "Value", "Goal", "Reached")
# From this value on, numbers are shown without decimals.
_LARGE = 100
_MINIMUM_SAMPLES_FOR_P99 = 100


@dataclass(frozen=True)
class Row:
    benchmark: str
    cells: tuple[str, ...]


def render_text(result: Result) -> str:
    """Return the result with aligned columns, for a terminal."""
    rows = list(_rows(result.metrics))
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *(row.cells for row in rows), strict=True)]
    lines = [f"{name}: {value}" for name, value in result.machine.items()]
    for benchmark, group in groupby(rows, key=lambda row: row.benchmark):
        lines += ["", benchmark.upper(), _align(_HEADINGS, widths), *(_align(row.cells, widths) for row in group)]
    return "\n".join([*lines, "", goal_summary(result.metrics)])


def render_markdown(result: Result) -> str:
    rows = groupby(_rows(result.metrics), key=lambda row: row.benchmark)
    lines = ["| | |", "| --- | --- |"]
    lines += [f"| {name} | {_escape(value)} |" for name, value in result.machine.items()]
    for benchmark, group in rows:
        lines += ["", f"### {benchmark.capitalize()}", "", _markdown_row(_HEADINGS)]
        lines += [_markdown_row(["---"] * len(_HEADINGS))]
        lines += [_markdown_row([_escape(cell) for cell in row.cells]) for row in group]
    return "\n".join([*lines, "", goal_summary(result.metrics)])


def goal_summary(metrics: Sequence[Metric]) -> str:
    """Return a sentence that counts the goals reached, not reached and not measured."""
    verdicts = [verdict for metric in metrics for verdict in metric.verdicts()]
    missing = sum(len(metric.goals) for metric in metrics) - len(verdicts)
    reached = sum(verdict.is_reached for verdict in verdicts)
    unmeasured = f", {missing} not measured" if missing else ""
    return f"{reached} goals reached, {len(verdicts) - reached} not reached{unmeasured}."


def format_number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= _LARGE else f"{value:.3g}"


def format_bound(goal: Goal, unit: str) -> str:
    return f"{goal.aspect} {'≥' if goal.at_least else '≤'} {_append_unit(goal.bound, goal.aspect, unit)}"


def _rows(metrics: Sequence[Metric]) -> Iterator[Row]:
    for metric in metrics:
        if metric.measured is None:
            goals = "; ".join(format_bound(goal, "") for goal in metric.goals)
            yield Row(metric.benchmark, (metric.name, "", "", "", goals, f"not measured: {metric.note}"))
            continue
        cells = (metric.name, _format_samples(metric.measured), _format_samples(metric.against))
        verdicts = list(metric.verdicts())
        for verdict in verdicts:
            aspect = verdict.goal.aspect
            value = _format_value(verdict.value, aspect, metric.measured.unit)
            reached = "reached" if verdict.is_reached else "not reached"
            yield Row(metric.benchmark, (*cells, value, format_bound(verdict.goal, metric.measured.unit), reached))
        if not verdicts:
            yield Row(metric.benchmark, (*cells, _value_without_goal(metric, metric.measured), "", ""))


def _value_without_goal(metric: Metric, measured: Samples) -> str:
    """Return the ratio, or the p99 of many samples that are compared with nothing, or an empty text."""
    has_p99 = metric.ratio is None and len(measured.values) >= _MINIMUM_SAMPLES_FOR_P99
    aspect = Aspect.P99 if has_p99 else Aspect.RATIO
    value = metric.value(aspect)
    return "" if value is None else _format_value(value, aspect, measured.unit)


def _format_value(value: float, aspect: Aspect, unit: str) -> str:
    return f"{aspect} {_append_unit(value, aspect, unit)}"


def _format_samples(samples: Samples | None) -> str:
    if samples is None:
        return ""
    spread = f" ({format_number(samples.lowest)}–{format_number(samples.highest)})" if len(samples.values) > 1 else ""
    return f"{samples.name}: {format_number(samples.median)} {samples.unit}{spread}"


def _append_unit(value: float, aspect: Aspect, unit: str) -> str:
    return format_number(value) if aspect == Aspect.RATIO or not unit else f"{format_number(value)} {unit}"


def _align(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
