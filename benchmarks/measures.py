"""All that can be measured, in the order in which it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks import (
    commands,
    completing,
    floors,
    following,
    growth,
    launching,
    peers,
    recording,
    supervising,
)
from benchmarks.figure import Figure
from benchmarks.place import Place

Measure = Callable[[Place], Iterator[Figure]]

MEASURES: dict[str, Measure] = {
    "floors": floors.measure,
    "commands": commands.measure,
    "completing": completing.measure,
    "peers": peers.measure,
    "launching": launching.measure,
    "following": following.measure,
    "supervising": supervising.measure,
    "growth": growth.measure,
    "recording": recording.measure,
}
