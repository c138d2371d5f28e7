"""What a figure should be."""

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
    """Else it is the most."""

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
