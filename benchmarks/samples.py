"""What was measured, several times."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Samples:
    name: str
    unit: str
    values: tuple[float, ...]
    """In the order in which they were measured; at least one."""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def lowest(self) -> float:
        return min(self.values)

    @property
    def highest(self) -> float:
        return max(self.values)

    def quantile(self, part: float) -> float:
        """The smallest value that is not exceeded by that part of all (0 to 1)."""
        return sorted(self.values)[max(0, math.ceil(part * len(self.values)) - 1)]


def ratio_by_pairs(measured: Samples, against: Samples) -> float:
    """The median of the ratios of what was measured one right after the other: what slows both cancels out."""
    return statistics.median(one / other for one, other in zip(measured.values, against.values, strict=True))
