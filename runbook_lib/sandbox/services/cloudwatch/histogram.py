"""Counts by value: sums by addition, and percentiles are exact."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Histogram:
    """How often each value was measured, in ascending order of the values."""

    values: tuple[float, ...] = ()
    counts: tuple[float, ...] = ()

    @classmethod
    def of(cls, counts: Mapping[float, float]) -> Histogram:
        """A histogram of value -> count; empty counts are left out."""
        kept = sorted((value, count) for value, count in counts.items() if count)
        return cls(tuple(value for value, _ in kept), tuple(count for _, count in kept))

    @classmethod
    def one(cls, value: float, count: float = 1) -> Histogram:
        """The same value measured so often."""
        return cls((value,), (count,)) if count else cls()

    def __bool__(self) -> bool:
        return bool(self.counts)

    @property
    def number(self) -> float:
        """How many samples there are."""
        return math.fsum(self.counts)

    @property
    def total(self) -> float:
        return math.fsum(value * count for value, count in zip(self.values, self.counts, strict=True))

    def percentile(self, percent: float) -> float:
        """The percentile by linear interpolation between samples, as numpy's default."""
        rank = (self.number - 1) * percent / 100
        low, high = self._sample(math.floor(rank)), self._sample(math.ceil(rank))
        return low + (high - low) * (rank - math.floor(rank))

    def statistic(self, name: str) -> float:
        """A statistic by its CloudWatch name: Sum, Average, Minimum, Maximum, SampleCount, or p50 to p100."""
        if name.startswith("p"):
            return self.percentile(float(name[1:]))
        return {
            "Sum": lambda: self.total,
            "Average": lambda: self.total / self.number,
            "Minimum": lambda: self.values[0],
            "Maximum": lambda: self.values[-1],
            "SampleCount": lambda: self.number,
        }[name]()

    def _sample(self, index: int) -> float:
        seen = 0.0
        for value, count in zip(self.values, self.counts, strict=True):
            seen += count
            if index < seen:
                return value
        return self.values[-1]


def merged(parts: Iterable[Histogram]) -> Histogram:
    """All samples of several histograms."""
    found = [part for part in parts if part]
    if len(found) == 1:
        return found[0]
    counts: dict[float, float] = {}
    for part in found:
        for value, count in zip(part.values, part.counts, strict=True):
            counts[value] = counts.get(value, 0.0) + count
    return Histogram.of(counts)
