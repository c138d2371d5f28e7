"""All benchmarks, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks import (
    baselines,
    commands,
    completing,
    fleet,
    following,
    growth,
    launching,
    peers,
    recording,
    searching,
    supervising,
    worktrees,
)
from benchmarks.metric import Metric
from benchmarks.workspace import Workspace

Benchmark = Callable[[Workspace], Iterator[Metric]]

BENCHMARKS: dict[str, Benchmark] = {
    "baselines": baselines.measure,
    "commands": commands.measure,
    "completing": completing.measure,
    "peers": peers.measure,
    "launching": launching.measure,
    "worktrees": worktrees.measure,
    "following": following.measure,
    "supervising": supervising.measure,
    "growth": growth.measure,
    "searching": searching.measure,
    "recording": recording.measure,
    "fleet": fleet.measure,
}
