"""Commands that read, beside the least command that could."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.baselines import TRIVIAL_NAME, trivial_command
from benchmarks.metric import Metric
from benchmarks.samples import Samples
from benchmarks.timing import run_in_turn
from benchmarks.workspace import FIRST_ID, Workspace, hldctl_command

_TIMES = 21
READ_COMMANDS = {"ls": ("ls",), "show": ("show", FIRST_ID), "tail -n 20": ("tail", "-n", "20", FIRST_ID)}


def measure(place: Workspace) -> Iterator[Metric]:
    with place.of_a_day() as sandbox:
        least = trivial_command(sandbox)
        for name, words in READ_COMMANDS.items():
            ours, floors = run_in_turn(hldctl_command(sandbox, *words).wall_ms, least.wall_ms, _TIMES)
            yield Metric(name, Samples(f"hldctl {name}", "ms", ours), Samples(TRIVIAL_NAME, "ms", floors), paired=True)
