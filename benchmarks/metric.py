"""A metric: one row of the result, with its samples, what they are compared with, and its goals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.goals import Aspect, Goal
from benchmarks.samples import Samples, ratio_by_pairs

_P99 = 0.99
# Benchmarks that had another name in older result files.
_OLD_NAMES = {"floors": "baselines"}


@dataclass(frozen=True)
class Verdict:
    goal: Goal
    value: float
    is_reached: bool


@dataclass(frozen=True)
class Metric:
    name: str
    measured: Samples | None
    """None if it could not be measured; `note` gives the reason."""
    against: Samples | None = None
    """A baseline or a peer."""
    paired: bool = False
    """True if each value of `measured` and its counterpart in `against` were measured right after each other."""
    note: str = ""
    benchmark: str = ""
    goals: tuple[Goal, ...] = ()

    @property
    def ratio(self) -> float | None:
        if self.measured is None or self.against is None:
            return None
        if self.paired:
            return ratio_by_pairs(self.measured, self.against)
        return self.measured.median / self.against.median if self.against.median else None

    def value(self, aspect: Aspect) -> float | None:
        if self.measured is None:
            return None
        match aspect:
            case Aspect.RATIO:
                return self.ratio
            case Aspect.MEDIAN:
                return self.measured.median
            case Aspect.P99:
                return self.measured.quantile(_P99)

    def verdicts(self) -> Iterator[Verdict]:
        """Yield a verdict for each goal whose value could be measured."""
        for goal in self.goals:
            value = self.value(goal.aspect)
            if value is not None:
                yield Verdict(goal, value, goal.is_reached(value))

    def as_json(self) -> dict[str, Any]:
        fields = asdict(self)
        fields["measure"] = fields.pop("benchmark")
        return fields

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Metric:
        fields = dict(fields)
        benchmark = fields.pop("measure")
        goals = tuple(Goal(Aspect(goal["aspect"]), goal["bound"], goal["at_least"]) for goal in fields["goals"])
        pair = {name: _samples_from_json(fields[name]) for name in ("measured", "against")}
        return cls(**{**fields, **pair, "benchmark": _OLD_NAMES.get(benchmark, benchmark), "goals": goals})


def _samples_from_json(fields: dict[str, Any] | None) -> Samples | None:
    return None if fields is None else Samples(fields["name"], fields["unit"], tuple(fields["values"]))
