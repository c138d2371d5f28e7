"""Read commands on a database with years of sessions, compared with a small one."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.commands import READ_COMMANDS
from benchmarks.metric import Metric
from benchmarks.samples import Samples
from benchmarks.timing import run_in_turn
from benchmarks.workspace import Workspace, hldctl_command

_TIMES = 21


def measure(workspace: Workspace) -> Iterator[Metric]:
    large = workspace.large_home()
    for name, arguments in READ_COMMANDS.items():
        with workspace.empty_home() if name == "ls" else workspace.one_session_home() as small:
            large_ms, small_ms = run_in_turn(
                hldctl_command(large, *arguments).wall_ms, hldctl_command(small, *arguments).wall_ms, _TIMES
            )
        content = "no session" if name == "ls" else "that session alone"
        measured = Samples(f"hldctl {name}, 20,000 sessions and 2,000,000 events", "ms", large_ms)
        yield Metric(name, measured, Samples(content, "ms", small_ms), paired=True)
