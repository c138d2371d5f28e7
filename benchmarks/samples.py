"""Values of repeated measurements."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Samples:
    name: str
    unit: str
    values: tuple[float, ...]
    """In the order of measurement; at least one."""

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
        """Return the smallest value that at least this part (0 to 1) of all values does not exceed."""
        return sorted(self.values)[max(0, math.ceil(part * len(self.values)) - 1)]


def ratio_by_pairs(measured: Samples, against: Samples) -> float:
    """Return the median of the ratios of values measured right after each other, so that a slow machine cancels out."""
    return statistics.median(first / second for first, second in zip(measured.values, against.values, strict=True))
