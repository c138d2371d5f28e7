"""Commands that read, with years of sessions and without."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.commands import READ_COMMANDS
from benchmarks.metric import Metric
from benchmarks.samples import Samples
from benchmarks.timing import run_in_turn
from benchmarks.workspace import Workspace, hldctl_command

_TIMES = 21


def measure(place: Workspace) -> Iterator[Metric]:
    years = place.of_years()
    for name, words in READ_COMMANDS.items():
        with place.empty() if name == "ls" else place.of_one_session() as little:
            many, few = run_in_turn(
                hldctl_command(years, *words).wall_ms, hldctl_command(little, *words).wall_ms, _TIMES
            )
        of = "no session" if name == "ls" else "that session alone"
        measured = Samples(f"hldctl {name}, 20,000 sessions and 2,000,000 events", "ms", many)
        yield Metric(name, measured, Samples(of, "ms", few), paired=True)
