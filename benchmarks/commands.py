"""Commands that read, beside the least command that could."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figure import Figure
from benchmarks.floors import TRIVIAL, trivial
from benchmarks.place import FIRST_ID, Place, hldctl
from benchmarks.samples import Samples
from benchmarks.timing import paired

_TIMES = 21
READING = {"ls": ("ls",), "show": ("show", FIRST_ID), "tail -n 20": ("tail", "-n", "20", FIRST_ID)}


def measure(place: Place) -> Iterator[Figure]:
    with place.of_a_day() as sandbox:
        least = trivial(sandbox)
        for name, words in READING.items():
            ours, floors = paired(hldctl(sandbox, *words).wall_ms, least.wall_ms, _TIMES)
            yield Figure(name, Samples(f"hldctl {name}", "ms", ours), Samples(TRIVIAL, "ms", floors), paired=True)
