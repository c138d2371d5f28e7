"""Read commands, compared with a trivial command that uses the same libraries."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.baselines import TRIVIAL_NAME, trivial_command
from benchmarks.metric import Metric
from benchmarks.samples import Samples
from benchmarks.timing import run_in_turn
from benchmarks.workspace import FIRST_ID, Workspace, hldctl_command

_TIMES = 21
READ_COMMANDS = {"ls": ("ls",), "show": ("show", FIRST_ID), "tail -n 20": ("tail", "-n", "20", FIRST_ID)}


def measure(workspace: Workspace) -> Iterator[Metric]:
    with workspace.small_home() as sandbox:
        trivial = trivial_command(sandbox)
        for name, arguments in READ_COMMANDS.items():
            ours, baseline = run_in_turn(hldctl_command(sandbox, *arguments).wall_ms, trivial.wall_ms, _TIMES)
            against = Samples(TRIVIAL_NAME, "ms", baseline)
            yield Metric(name, Samples(f"hldctl {name}", "ms", ours), against, paired=True)
