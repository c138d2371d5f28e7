"""Runner of the benchmarks: one after the other; one that fails does not stop the others."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from benchmarks.catalog import BENCHMARKS, Benchmark
from benchmarks.goals import GOALS
from benchmarks.metric import Metric
from benchmarks.timing import NotMeasured
from benchmarks.workspace import Workspace

Report = Callable[[str], None]
_FAILURES = (NotMeasured, AssertionError, OSError, ValueError, LookupError, subprocess.SubprocessError)


def run(names: Sequence[str], report: Report) -> Iterator[Metric]:
    """Yield each metric as soon as it is measured, and metrics with goals that were not measured with the reason."""
    with Workspace() as workspace:
        for number, name in enumerate(names, 1):
            report(f"{number}/{len(names)} {name} ...")
            started = time.monotonic()
            yield from _metrics(name, BENCHMARKS[name], workspace)
            report(f"{number}/{len(names)} {name}: {time.monotonic() - started:.0f} s")


def _metrics(name: str, measure: Benchmark, workspace: Workspace) -> Iterator[Metric]:
    goals = GOALS.get(name, {})
    pending, reason = set(goals), "it was not measured"
    with closing(measure(workspace)) as metrics:  # type: ignore[type-var]
        try:
            for metric in metrics:
                pending.discard(metric.name)
                yield replace(metric, benchmark=name, goals=goals.get(metric.name, ()))
        except _FAILURES as error:
            reason = str(error) or type(error).__name__
            if not pending:
                yield Metric("the rest", None, note=reason, benchmark=name)
    for missing in goals:
        if missing in pending:
            yield Metric(missing, None, note=reason, benchmark=name, goals=goals[missing])
