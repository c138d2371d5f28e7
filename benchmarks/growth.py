"""Commands that read, with years of sessions and without."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.commands import READING
from benchmarks.figure import Figure
from benchmarks.place import Place, hldctl
from benchmarks.samples import Samples
from benchmarks.timing import paired

_TIMES = 21


def measure(place: Place) -> Iterator[Figure]:
    years = place.of_years()
    for name, words in READING.items():
        with place.empty() if name == "ls" else place.of_one_session() as little:
            many, few = paired(hldctl(years, *words).wall_ms, hldctl(little, *words).wall_ms, _TIMES)
        of = "no session" if name == "ls" else "that session alone"
        measured = Samples(f"hldctl {name}, 20,000 sessions and 2,000,000 events", "ms", many)
        yield Figure(name, measured, Samples(of, "ms", few), paired=True)
