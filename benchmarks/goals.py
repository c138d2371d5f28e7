"""The goals of the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Aspect(StrEnum):
    RATIO = "ratio"
    MEDIAN = "median"
    P99 = "p99"


@dataclass(frozen=True)
class Goal:
    aspect: Aspect
    bound: float
    at_least: bool = False
    """True if the bound is a minimum, False if it is a maximum."""

    def is_reached(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound


def ratio(bound: float) -> Goal:
    return Goal(Aspect.RATIO, bound)


def median(bound: float) -> Goal:
    return Goal(Aspect.MEDIAN, bound)


def p99(bound: float) -> Goal:
    return Goal(Aspect.P99, bound)


def median_at_least(bound: float) -> Goal:
    return Goal(Aspect.MEDIAN, bound, at_least=True)


def ratio_at_least(bound: float) -> Goal:
    return Goal(Aspect.RATIO, bound, at_least=True)


# By benchmark and by the metric's name. A goal whose metric was not measured is reported as not measured.
GOALS: dict[str, dict[str, tuple[Goal, ...]]] = {
    "commands": {
        "ls": (ratio(1.25),),
        "show": (ratio(1.25),),
        "tail -n 20": (ratio(1.25),),
    },
    "peers": {
        "ls": (ratio(0.65),),
        "show": (ratio(0.65),),
        "tail -n 20": (ratio(0.65),),
    },
    "growth": {
        "ls": (ratio(1.15),),
        "show": (ratio(1.15),),
        "tail -n 20": (ratio(1.15),),
    },
    "launching": {
        "launch, beside claude --bg": (ratio(0.7),),
        "launch, beside ls": (ratio(1.6),),
    },
    "worktrees": {
        "launch --worktree, 50,000 files": (ratio(1.3),),
    },
    "completing": {
        "an id on TAB": (ratio(1.1),),
    },
    "following": {
        "1 session, tail -f": (median(3), p99(15)),
        "1 session, tail -f --json": (median(3), p99(15)),
        "20 sessions, tail -f": (median(10), p99(100)),
    },
    "searching": {
        "a rare word": (ratio(1.6),),
        "a frequent word": (ratio(1.6),),
        "two words": (ratio(1.6),),
        "two words that never meet": (ratio(1.6),),
        "a phrase": (ratio(1.6),),
        "the beginning of a frequent word": (ratio(1.6),),
        "a frequent word of a session": (ratio(1.6),),
        "a frequent word, role and tool": (ratio(1.6),),
        "a frequent word since an hour": (ratio(1.6),),
    },
    "recording": {
        "a burst, empty database": (median_at_least(30_000),),
        "a burst, 2,000,000 events there": (median_at_least(30_000), ratio_at_least(0.9)),
        "ten bursts at once": (median_at_least(30_000),),
        "ten bursts at once, events lost": (median(0),),
        "state directory, an event": (median(2.5),),
    },
    "supervising": {
        "memory, idle": (median(16),),
        "memory, after 100,000 events": (median(16), ratio(1.1)),
        "supervisor of a silent session, wake-ups": (median(1),),
        "supervisor of a silent session, processor": (median(1),),
        "tail -f of a silent session, wake-ups": (median(1),),
        "tail -f of a silent session, processor": (median(1),),
        "processor, a line at 20/s": (median(1),),
    },
    "fleet": {
        "a line, from A to B": (median(250), p99(750)),
        "link, an event at 10/s": (median(1.5),),
        "link, an event at 100/s": (median(0.5),),
        "link, memory": (median(40),),
        "catching up": (median_at_least(5000),),
        "ls --fleet": (ratio(1.25),),
        "launch, joined": (ratio(1.1),),
        "supervisor's memory, joined": (ratio(1.05),),
    },
}
