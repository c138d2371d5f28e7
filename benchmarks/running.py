"""The measures, one after the other; one that fails does not stop the others."""

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


def run(names: Sequence[str], tell: Report) -> Iterator[Metric]:
    """Each figure as soon as it is measured; what a measure owes, in place of what it could not give."""
    with Workspace() as place:
        for number, name in enumerate(names, 1):
            tell(f"{number}/{len(names)} {name} ...")
            begun = time.monotonic()
            yield from _figures(name, BENCHMARKS[name], place)
            tell(f"{number}/{len(names)} {name}: {time.monotonic() - begun:.0f} s")


def _figures(name: str, measure: Benchmark, place: Workspace) -> Iterator[Metric]:
    goals = GOALS.get(name, {})
    owed, reason = set(goals), "it was not measured"
    with closing(measure(place)) as figures:  # type: ignore[type-var]
        try:
            for figure in figures:
                owed.discard(figure.name)
                yield replace(figure, measure=name, goals=goals.get(figure.name, ()))
        except _FAILURES as error:
            reason = str(error) or type(error).__name__
            if not owed:
                yield Metric("the rest", None, note=reason, measure=name)
    for missing in goals:
        if missing in owed:
            yield Metric(missing, None, note=reason, measure=name, goals=goals[missing])
